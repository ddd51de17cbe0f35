"""The chart by Helm's own engine, its objects by Kubernetes' own schemas, and both by what the server needs."""
import json
import os
import re

import helm_python
import kubernetes_validate
import pytest
import yaml
from conftest import DEPLOY, ROOT
from settings import exists

CHART = DEPLOY / "helm/topdog"
PLAIN = DEPLOY / "kubernetes/topdog.yaml"
# The oldest that the chart takes, and the newest there is a schema of.
VERSIONS = ("1.30", "1.37")
EVERYTHING = {
    "replicas": 3, "tls": {"secret": "gateway-tls"}, "imagePullSecrets": [{"name": "registry"}],
    "env": [{"name": "TOPDOG_LOG__LEVEL", "value": "debug"}], "storage": {"size": "20Gi", "className": "fast"},
    "service": {"annotations": {"a": "b"}}, "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "podAnnotations": {"c": "d"}, "nodeSelector": {"disk": "fast"}, "tolerations": [{"operator": "Exists"}],
    "networkPolicy": {
        "clients": [{"podSelector": {"matchLabels": {"app": "ingress"}}}],
        "database": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
        "egress": [{"ports": [{"port": 8000, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}]}],
    },
}
CASES = {"defaults": {}, "everything": EVERYTHING, "bare": {"networkPolicy": {"enabled": False}, "replicas": 1}}


def rendered(values=None, name="topdog"):
    """Each template's text, in the order of their names."""
    with helm_python.Chart.load(CHART) as chart:
        texts = chart.render(values=values or {}, name=name, namespace="topdog")
    return {path.rsplit("/", 1)[1]: text for path, text in sorted(texts.items()) if path.endswith(".yaml")}


def objects(values=None, name="topdog"):
    return [one for text in rendered(values, name).values() for one in yaml.safe_load_all(text) if one]


def of_kind(kind, values=None):
    found = [one for one in objects(values) if one["kind"] == kind]
    assert found, kind
    return found[0]


def pod(values=None):
    return of_kind("StatefulSet", values)["spec"]["template"]["spec"]


def container(values=None):
    return pod(values)["containers"][0]


def variables(values=None):
    return {one["name"]: one["value"] for one in container(values)["env"]}


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_helm_finds_nothing_wrong(values):
    report = helm_python.lint(CHART, values, strict=True, namespace="topdog", kube_version="v1.30.0")
    worth_telling = [one for one in report["messages"] if "icon is recommended" not in str(one)]
    assert worth_telling == [] and not report["errors"], report


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_every_object_is_one_of_kubernetes(values, version):
    found = objects(values)
    kinds = {one["kind"] for one in found}
    assert kinds >= {"StatefulSet", "Service", "PodDisruptionBudget", "ConfigMap", "ServiceAccount"}
    assert ("NetworkPolicy" in kinds) == values.get("networkPolicy", {}).get("enabled", True)
    assert ("ServiceMonitor" in kinds) == ("serviceMonitor" in values)
    for one in found:
        if one["kind"] == "ServiceMonitor":
            # Not Kubernetes' own; its schema is the Prometheus operator's.
            assert one["apiVersion"] == "monitoring.coreos.com/v1" and one["spec"]["endpoints"][0]["port"] == "admin"
            continue
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("values", [
    {"replica": 2}, {"replicas": 0}, {"image": {"name": "x"}}, {"rootKey": {"secret": ""}}, {"preStopSeconds": 0},
    {"networkPolicy": {"monitoring": []}},
])
def test_values_that_make_no_sense_are_refused(values):
    with pytest.raises(helm_python.HelmError):
        rendered(values)


def test_the_plain_manifests_are_the_chart_with_its_defaults():
    head = ("# The chart in deploy/helm with its default values, for those without Helm. Made by the test that compares the\n"
            "# two: TOPDOG_BLESS=1, see CONTRIBUTING.md. Change the chart, not this.\n")
    text = head + "".join(f"---\n{part.strip()}\n" for part in rendered().values() if part.strip())
    text = text.replace("app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kubectl")
    if os.environ.get("TOPDOG_BLESS") == "1":
        PLAIN.parent.mkdir(exist_ok=True)
        PLAIN.write_text(text)
    assert PLAIN.read_text() == text


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_each_setting_that_the_chart_makes_exists(values):
    names = [name for name in variables(values) if "__" in name]
    assert len(names) >= 5
    assert [name for name in names if not exists(name)] == []


def test_ports_are_the_same_everywhere():
    ports = {one["name"]: one["containerPort"] for one in container()["ports"]}
    told = variables()
    assert told["TOPDOG_SERVER__LISTEN"].endswith(f":{ports['http']}")
    assert told["TOPDOG_ADMIN__LISTEN"].endswith(f":{ports['admin']}")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container()[probe]["httpGet"]["port"] == "admin"
    targets = {port["targetPort"] for one in objects() if one["kind"] == "Service" for port in one["spec"]["ports"]}
    named = {port["port"] for rule in of_kind("NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]}
    assert targets == named == set(ports)


def test_a_pod_is_given_the_time_that_stopping_takes():
    for values in ({}, {"drainTimeoutMs": 600_500, "preStopSeconds": 20}):
        waits = container(values)["lifecycle"]["preStop"]["sleep"]["seconds"]
        drains = int(variables(values)["TOPDOG_SERVER__DRAIN_TIMEOUT_MS"]) / 1000
        # What follows the drain: cutting off, leases (5 s), the last shipping (10 s).
        assert pod(values)["terminationGracePeriodSeconds"] >= waits + drains + 20


def test_what_a_pod_may_is_as_little_as_can_be():
    spec, inside = pod(), container()["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
    assert not spec.get("hostNetwork") and not spec.get("hostPID")
    assert {one["name"]: "emptyDir" in one or "configMap" in one or "projected" in one for one in spec["volumes"]} == dict.fromkeys(
        ("config", "recorder", "secrets"), True)


def test_secrets_are_given_by_reference_and_never_in_the_chart():
    kinds = {one["kind"] for one in objects(EVERYTHING)}
    assert "Secret" not in kinds
    told, mounts = variables(EVERYTHING), {one["mountPath"] for one in container(EVERYTHING)["volumeMounts"]}
    paths = [value.removeprefix("file:") for value in told.values() if value.startswith("file:")]
    paths += [told["TOPDOG_SERVER__TLS__CERT_FILE"], told["TOPDOG_SERVER__TLS__KEY_FILE"]]
    sources = next(one for one in pod(EVERYTHING)["volumes"] if one["name"] == "secrets")["projected"]
    items = {item["path"] for source in sources["sources"] for item in source["secret"]["items"]}
    assert {os.path.dirname(path) for path in paths} <= mounts
    assert {os.path.basename(path) for path in paths} == items | {"tls.crt", "tls.key"}
    # The group may read, and nobody else: the server refuses a root key that others can read.
    assert sources["defaultMode"] == 0o440


def test_what_is_written_is_on_a_volume():
    mounts = {one["mountPath"] for one in container()["volumeMounts"] if not one.get("readOnly")}
    told = variables()
    data, recorder = told["TOPDOG_DATA_DIR"], told["TOPDOG_SPOOL__RECORDER_DIR"]
    # Below the mount: the volume's own folder is open to its group, and the server refuses such a data folder.
    assert os.path.dirname(data) in mounts and recorder in mounts
    assert next(one for one in pod()["volumes"] if one["name"] == "recorder")["emptyDir"]["medium"] == "Memory"
    assert pod()["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_providers_can_be_reached_and_the_clusters_own_network_only_where_it_is_said():
    rules = of_kind("NetworkPolicy")["spec"]["egress"]
    https = next(rule for rule in rules if rule["ports"][0]["port"] == 443)
    world = next(to["ipBlock"] for to in https["to"] if to["ipBlock"]["cidr"] == "0.0.0.0/0")
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16", "172.16.0.0/12"} <= set(world["except"])
    assert len(of_kind("NetworkPolicy", EVERYTHING)["spec"]["egress"]) == len(rules) + 1


def test_the_configuration_reaches_the_pod_and_a_new_one_restarts_it():
    said = "[log]\nlevel = \"warn\"\n"
    one, other = objects(), objects({"config": said})
    text = lambda all: next(one for one in all if one["kind"] == "ConfigMap")["data"]["topdog.toml"]
    mark = lambda all: next(one for one in all if one["kind"] == "StatefulSet")["spec"]["template"]["metadata"]["annotations"]
    assert text(other) == said and mark(one) != mark(other)
    assert next(one for one in container()["volumeMounts"] if one["name"] == "config")["mountPath"] == "/etc/topdog"
    assert container()["args"] == ["serve", "--config", "/etc/topdog/topdog.toml"]


def test_the_chart_has_the_products_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert chart["appVersion"] == version
    assert json.loads((CHART / "values.schema.json").read_text())["additionalProperties"] is False
