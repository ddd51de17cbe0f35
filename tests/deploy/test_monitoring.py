"""Rules and dashboards in a real Prometheus that scrapes the real binary."""
import json
import re
import urllib.parse

import pytest
import yaml
from conftest import DEPLOY, Running, free_port, get, need, says_yes, wait_for
from test_slo import PAIRS, ours

DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
# What is there only when something is wrong.
MAY_BE_EMPTY = ("ALERTS{",)


@pytest.fixture(scope="session")
def prometheus(demo, tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    for rules in (DEPLOY / "prometheus").glob("*.yml"):
        # Nobody wants to wait for the intervals of production.
        (folder / rules.name).write_text(rules.read_text().replace("interval: 30s", "interval: 1s"))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["objectives.yml", "recording.yml", "alerts.yml"],
        "scrape_configs": [{"job_name": "topdog", "static_configs": [{"targets": [demo.admin.removeprefix("http://")]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = [need("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address=127.0.0.1:{port}"]
    process = Running(command, folder / "prometheus.log")
    process.url = f"http://127.0.0.1:{port}"
    try:
        wait_for("Prometheus is up", lambda: says_yes(f"{process.url}/-/ready"))
        # Growth is what is seen, so there must have been some before the first scrape.
        requests(demo)
        wait_for("it scrapes", lambda: query(process, "topdog_requests_total"))
        wait_for("it sees requests", lambda: requests(demo) or query(process, SEEN))
        for last in ("plan_segment:topdog_errors:ratio_rate3d > -1", "plan_segment:topdog_slow:ratio_rate3d > -1"):
            wait_for("the last rule of each group is recorded", lambda: query(process, last))
        yield process
    finally:
        process.stop()


SEEN = 'count(rate(topdog_gateway_overhead_seconds_count[1m]) > 0) == 2'


def requests(demo):
    """Some that go well, some that do not, in two segments."""
    for segment in ("general", "medical"):
        labels = {"x-data-segment": segment}
        assert demo.chat(demo.key, labels, stream=True)[0] == 200
        assert demo.chat(demo.key, labels)[0] == 200
        assert demo.chat(demo.key, labels, model="nobody/has-this")[0] == 404


def query(prometheus, expression):
    status, text = get(f"{prometheus.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    assert status == 200, f"{expression}: {text}"
    return json.loads(text)["data"]["result"]


def test_prometheus_scrapes_the_binary_and_evaluates_every_rule(prometheus):
    assert [one["value"][1] for one in query(prometheus, 'up{job="topdog"}')] == ["1"]
    groups = json.loads(get(f"{prometheus.url}/api/v1/rules")[1])["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 40
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}


def test_failures_of_ours_are_counted_from_none_on(prometheus):
    """Of every plan and segment, before there was one: what a series is born with is no growth."""
    expected = {(plan, segment, code) for plan, segment in PAIRS for code in ours()}
    found = query(prometheus, "topdog_refusals_total == 0")
    assert {(one["metric"]["plan"], one["metric"]["data_segment"], one["metric"]["code"]) for one in found} == expected
    for outcome in ("internal_error", "upstream_failed"):
        assert len(query(prometheus, f'topdog_outcomes_total{{outcome="{outcome}"}} == 0')) == len(PAIRS)


def test_nothing_alarms_on_a_server_that_is_well(prometheus):
    assert query(prometheus, 'ALERTS{alertstate="firing"}') == []


def test_every_recorded_series_is_there(prometheus):
    groups = [group for file in ("objectives.yml", "recording.yml")
              for group in yaml.safe_load((DEPLOY / "prometheus" / file).read_text())["groups"]]
    recorded = {rule["record"] for group in groups for rule in group["rules"]}
    assert {name for name in recorded if not query(prometheus, name)} == set()


def test_errors_and_slow_requests_are_told_as_none(prometheus):
    for kind in ("errors", "slow"):
        for one in query(prometheus, f"plan_segment:topdog_{kind}:ratio_rate5m"):
            assert one["metric"]["plan"] in ("Pro", "Starter", "Enterprise")
            assert 0 <= float(one["value"][1]) <= 1


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


EXPRESSIONS = {
    f"{file.stem}: {panel['title']} {target['refId']}": (target["expr"], target["legendFormat"])
    for file in DASHBOARDS for panel in panels(json.loads(file.read_text())) for target in panel["targets"]
}


@pytest.mark.parametrize("expression, legend", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_every_panel_shows_something(prometheus, expression, legend):
    plain = re.sub(r"\$\w+", lambda found: {"$__rate_interval": "1m"}.get(found[0], ".*"), expression)
    found = query(prometheus, plain)
    if not any(mark in expression for mark in MAY_BE_EMPTY):
        assert found, f"{plain} is empty"
    for label in re.findall(r"{{(\w+)}}", legend):
        assert all(label in one["metric"] for one in found), f"{legend}: {found}"
    # Without a bucket for everything there would be no quantile.
    assert "histogram_quantile" not in plain or any(one["value"][1] != "NaN" for one in found), found


def test_dashboards_are_whole():
    assert len(DASHBOARDS) == 2
    boards = [json.loads(file.read_text()) for file in DASHBOARDS]
    assert len({board["uid"] for board in boards}) == len(boards)
    for board in boards:
        variables = {variable["name"] for variable in board["templating"]["list"]}
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids) and "id" not in board and board["schemaVersion"] >= 36
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"]))) - {"__rate_interval"}
        assert used == variables, "every variable is used, and each used one is there"
        for panel in panels(board):
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places)
        assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])
