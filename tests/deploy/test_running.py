"""The binary, started as each kind of deployment starts it: the same variables, arguments, user, and modes of files, in a
root folder of its own that holds what the container or the unit is given, and nothing else."""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

import pytest
import yaml
from conftest import DEPLOY, ROOT, TOPDOG, Server, get, wait_for
from settings import exists
from test_kubernetes import container, objects, pod, variables

USER = 65532
UNIT = DEPLOY / "systemd/topdog.service"
DOCKERFILE = DEPLOY / "docker/Dockerfile"
COMPOSE = DEPLOY / "compose/compose.yaml"
# Free ports: those of the files may be taken here.
FREE = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--workers", "1"]


@pytest.fixture
def place():
    """An empty root folder in memory, where a recorder can be."""
    assert os.geteuid() == 0, "these tests change root and user: run scripts/test deploy as root"
    folder = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm", prefix="topdog-test-"))
    folder.chmod(0o755)
    yield Place(folder)
    shutil.rmtree(folder)


class Place:
    """A root folder with the binary in it."""

    def __init__(self, folder):
        self.root = folder / "root"
        self.root.mkdir()
        self.logs = folder
        self.running = 0
        # The tests' binary is a dynamic one; the image's is static.
        wanted = subprocess.run(["ldd", TOPDOG], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", wanted):
            self.put(library, pathlib.Path(library).read_bytes(), 0o755)
        self.put("/topdog", TOPDOG.read_bytes(), 0o755)
        self.folder("/proc", 0o555)

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def folder(self, inside, mode, owner=0, group=0):
        self.path(inside).mkdir(parents=True, exist_ok=True)
        os.chown(self.path(inside), owner, group)
        self.path(inside).chmod(mode)

    def put(self, inside, content, mode, owner=0, group=0):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.chown(path, owner, group)
        path.chmod(mode)

    def how(self, groups=()):
        def enter():
            os.chroot(self.root)
            os.chdir("/")
            os.setgroups(list(groups))
            os.setgid(USER)
            os.setuid(USER)
            os.umask(0o077)

        return {"preexec_fn": enter}

    def start(self, arguments, environment, groups=()):
        data = self.path(environment["TOPDOG_DATA_DIR"])
        (data / "run/listen.json").unlink(missing_ok=True)
        logs = self.logs / str(self.running)
        logs.mkdir()
        self.running += 1
        return Server(logs, ["/topdog", *arguments, *FREE], data, env=environment, **self.how(groups))

    def fails(self, arguments, environment, groups=()):
        ran = subprocess.run(["/topdog", *arguments], env=environment, capture_output=True, text=True, timeout=60,
                             **self.how(groups))
        assert ran.returncode != 0
        return ran.stderr

    def command(self, arguments, environment):
        """A command of the CLI, as `kubectl exec` or `docker exec` run it."""
        ran = subprocess.run(["/topdog", *arguments], env=environment, capture_output=True, text=True, timeout=60, **self.how())
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


def root_key():
    """As docs/deploy.md makes one."""
    lines = re.search(r"^ {4}(printf 'id root-.*)$", (ROOT / "docs/deploy.md").read_text(), re.M)[1]
    return subprocess.run(["sh", "-c", lines.split(" > ")[0]], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def database():
    """A fresh one on the tests' Postgres."""
    admin = os.environ.get("TOPDOG_TEST_POSTGRES_URL")
    assert admin, "TOPDOG_TEST_POSTGRES_URL is not set: run scripts/test deploy"
    name = f"topdog_deploy_{os.getpid()}_{os.urandom(4).hex()}"
    psql(admin, f"CREATE DATABASE {name}")
    yield urllib.parse.urlparse(admin)._replace(path=f"/{name}").geturl()
    psql(admin, f"DROP DATABASE {name} WITH (FORCE)")


def psql(url, statement):
    subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", statement], check=True, capture_output=True)


class Pod:
    """A place with the volumes of the chart's pod, as Kubernetes makes them for its fsGroup."""

    def __init__(self, place, key, url, secret_mode=None):
        self.place, self.environment = place, variables()
        self.arguments = container()["args"]
        group = pod()["securityContext"]["fsGroup"]
        volumes = {one["name"]: one for one in pod()["volumes"]}
        contents = {"root.key": key, "database.url": url,
                    "topdog.toml": next(one for one in objects() if one["kind"] == "ConfigMap")["data"]["topdog.toml"]}
        for mount in container()["volumeMounts"]:
            where, volume = mount["mountPath"], volumes.get(mount["name"], {})
            # A volume that can be written to is its group's, and what is made in it, too.
            place.folder(where, 0o2777 if not mount.get("readOnly") and "emptyDir" in volume else 0o2775, 0, group)
            if "configMap" in volume:
                place.put(f"{where}/topdog.toml", contents["topdog.toml"], 0o644, 0, group)
            if "projected" in volume:
                mode = volume["projected"]["defaultMode"] | 0o440 if secret_mode is None else secret_mode
                for source in volume["projected"]["sources"]:
                    for item in source["secret"]["items"]:
                        place.put(f"{where}/{item['path']}", contents[item["path"]], mode, 0, group)

    def start(self):
        return self.place.start(self.arguments, self.environment)


def test_pods_start_as_the_chart_starts_them_and_are_one_installation(tmp_path, database):
    assert os.geteuid() == 0, "these tests change root and user: run scripts/test deploy as root"
    key, folders = root_key(), [pathlib.Path(tempfile.mkdtemp(dir="/dev/shm", prefix="topdog-test-")) for _ in range(2)]
    servers = []
    try:
        for folder in folders:
            folder.chmod(0o755)
        first, second = (Pod(Place(folder), key, database) for folder in folders)
        servers = [first.start(), second.start()]
        assert "recorder" not in servers[0].said(), servers[0].said()
        assert get(f"{servers[0].admin}/readyz")[0] == 200
        said = first.place.command(["init", "--org", "acme", "--tier", "PRO"], first.environment)
        secret = re.search(r"td_live_[0-9A-Za-z]{61}", said)[0]
        listed = lambda server: get(f"{server.gateway}/v1/models", authorization=f"Bearer {secret}")[0]
        assert listed(servers[0]) == 200
        # The other node hears of it by itself.
        wait_for("the second pod knows the key", lambda: listed(servers[1]) == 200)
        assert [server.stop() for server in servers] == [0, 0]
        # The same volume again, as after a rolling restart.
        servers = [first.start()]
        assert listed(servers[0]) == 200
    finally:
        for server in servers:
            server.stop()
        for folder in folders:
            shutil.rmtree(folder)


def test_a_root_key_that_everyone_can_read_is_refused_in_a_pod(place, database):
    one = Pod(place, root_key(), database, secret_mode=0o444)
    assert "lets others in" in place.fails([*one.arguments, *FREE], one.environment)


def dockerfile():
    """The last stage's instructions."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    last = max(index for index, line in enumerate(lines) if line.startswith("FROM "))
    return [tuple(line.split(None, 1)) for line in lines[last:]]


def said_by(instruction):
    return [rest for word, rest in dockerfile() if word == instruction]


def image_environment():
    return dict(pair.split("=", 1) for pair in said_by("ENV")[0].split())


def health_check():
    binary, *arguments = yaml.safe_load(said_by("HEALTHCHECK")[0].split("CMD ")[1])
    assert binary == "/topdog"
    return arguments


def test_the_image_starts_with_an_empty_volume(place):
    environment = image_environment()
    # A new volume takes owner and mode of the image's folder.
    assert said_by("COPY")[1] == "--from=build --chown=65532:65532 /out/data /var/lib/topdog"
    assert "install -d -m 0700 /out/data" in DOCKERFILE.read_text()
    place.folder("/var/lib/topdog", 0o700, USER, USER)
    assert yaml.safe_load(said_by("ENTRYPOINT")[0]) == ["/topdog"]
    arguments = yaml.safe_load(said_by("CMD")[0])
    server = place.start(arguments, environment)
    place.command(["init", "--org", "acme", "--tier", "FREE"], environment)
    assert place.command(health_check(), environment).startswith("status  ready")
    assert server.stop() == 0
    assert "no server is running" in place.fails(health_check(), environment)


@pytest.mark.parametrize("status, said, code, expected", [
    (503, '{"status": "not ready", "notes": ["starting or stopping"]}', 1, "not ready: starting or stopping"),
    (200, "<html>", 1, "is no Top Dog"),
    (200, '{"status": "ready", "notes": ["the disk is full"]}', 0, "the disk is full"),
])
def test_health_is_what_readyz_says(place, status, said, code, expected):
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/readyz" else 404)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{other.server_port}"
        place.put("/data/run/listen.json", json.dumps({"url": "http://127.0.0.1:1", "admin": address}), 0o644)
        ran = subprocess.run(["/topdog", *health_check(), "--data-dir", "/data"], env={}, capture_output=True, text=True,
                             timeout=60, **place.how())
        other.shutdown()
    assert (ran.returncode, expected in ran.stdout + ran.stderr) == (code, True), ran


def test_the_image_is_nothing_but_the_binary_and_runs_as_nobody():
    assert said_by("FROM") == ["scratch"] and said_by("USER") == [f"{USER}:{USER}"]
    assert len(said_by("COPY")) == 2 and not said_by("RUN")
    environment = image_environment()
    assert [name for name in environment if "__" in name and not exists(name)] == []
    ports = {environment[name].rsplit(":", 1)[1] for name in ("TOPDOG_SERVER__LISTEN", "TOPDOG_ADMIN__LISTEN")}
    assert set(said_by("EXPOSE")[0].split()) == ports
    assert {one["containerPort"] for one in container()["ports"]} == {int(port) for port in ports}
    assert pod()["securityContext"]["runAsUser"] == USER
    hadolint = pathlib.Path(os.sys.executable).with_name("hadolint")
    subprocess.run([hadolint, DOCKERFILE], check=True)


def test_the_image_is_built_by_the_toolchain_that_the_project_wants():
    wanted = re.search(r'^rust-version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert f"FROM rust:{wanted}-" in DOCKERFILE.read_text()


def test_the_build_context_holds_everything_that_the_build_reads(tmp_path):
    """What .dockerignore lets through, copied; then every file that the sources include is looked for."""
    kept = [line[1:] for line in (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in kept:
        source = ROOT / name
        leave = shutil.ignore_patterns("tests", "target")
        shutil.copytree(source, tmp_path / name, ignore=leave) if source.is_dir() else shutil.copy(source, tmp_path / name)
    host = subprocess.run(["rustc", "--print", "host-tuple"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["cargo", "metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host], cwd=tmp_path, check=True,
                   stdout=subprocess.DEVNULL, env=dict(os.environ, CARGO_TARGET_DIR=str(tmp_path / "target")))
    for source in tmp_path.glob("crates/*/src/**/*.rs"):
        for name in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', source.read_text()):
            assert (source.parent / name).exists(), f"{source.relative_to(tmp_path)} includes {name}"
    manual = (tmp_path / "crates/topdog/src/serve/manual.rs").read_text()
    for name in re.findall(r'= "([\w./-]+\.md)":', manual):
        assert (tmp_path / name).exists(), name


def compose():
    return yaml.safe_load(COMPOSE.read_text())


def test_compose_starts_the_server_on_postgres(place, database, tmp_path):
    service = compose()["services"]["topdog"]
    environment = image_environment() | service["environment"]
    assert [name for name in environment if "__" in name and not exists(name)] == []
    folder = tmp_path / "compose"
    folder.mkdir()
    shutil.copy(DEPLOY / "compose/make-secrets", folder)
    subprocess.run([folder / "make-secrets"], check=True)
    again = subprocess.run([folder / "make-secrets"], capture_output=True, text=True)
    assert again.returncode == 1 and "nothing was changed" in again.stderr
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700
    made = {name: (folder / "secrets" / name) for name in ("database_url", "database_password")}
    assert made["database_url"].read_text() == f"postgres://topdog:{made['database_password'].read_text()}@postgres/topdog"
    for name, told in compose()["secrets"].items():
        assert told["file"] == f"./secrets/{name}" and name in made
    # The file as the container sees it, with this machine's database in it.
    place.put("/run/secrets/database_url", database, made["database_url"].stat().st_mode & 0o777)
    place.folder("/var/lib/topdog", 0o700, USER, USER)
    place.folder("/dev/shm", 0o1777)
    server = place.start(["serve"], environment)
    place.command(["init", "--org", "acme", "--tier", "FREE"], environment)
    assert "recorder" not in server.said()
    assert server.stop() == 0


def test_compose_gives_the_server_little_and_time_to_stop():
    service, postgres = (compose()["services"][name] for name in ("topdog", "postgres"))
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert int(service["stop_grace_period"].removesuffix("s")) >= 30 + 20
    ports = [port.split(":") for port in service["ports"]]
    assert all(address == "127.0.0.1" and outer == inner for address, outer, inner in ports)
    assert {inner for _, _, inner in ports} == set(said_by("EXPOSE")[0].split())
    assert {mount.split(":")[0] for mount in service["volumes"] + postgres["volumes"] if isinstance(mount, str)} == set(compose()["volumes"])
    assert service["environment"]["TOPDOG_STORE__URL"].rsplit("/", 1)[1] in service["secrets"]


def unit(*more):
    """The settings of the unit and of the files that are laid over it."""
    found = {}
    for file in (UNIT, *more):
        for line in file.read_text().splitlines():
            name, has, value = line.partition("=")
            if has and not line.startswith("#"):
                found.setdefault(name, []).append(value)
    return found


CREDENTIALS = "/run/credentials/topdog.service"


def unit_environment(*more):
    return dict(pair.split("=", 1) for line in unit(*more)["Environment"] for pair in line.replace("%d", CREDENTIALS).split())


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_unit_starts_the_server_with_its_credentials(place, request, engine):
    more = [DEPLOY / "systemd/topdog.service.d/postgres.conf"] if engine == "postgres" else []
    environment = unit_environment(*more)
    assert [name for name in environment if "__" in name and not exists(name)] == []
    contents = {"root.key": root_key()}
    if more:
        contents["database.url"] = request.getfixturevalue("database") + "\n"
    for credential in unit(*more)["LoadCredential"]:
        name, source = credential.split(":")
        assert source == f"/etc/topdog/{name}"
        # systemd gives the user a right by an access list, which shows as the group's.
        place.put(f"{CREDENTIALS}/{name}", contents.pop(name), 0o440, 0, USER)
    assert contents == {}
    for name, mode, base in (("StateDirectory", "StateDirectoryMode", "/var/lib"), ("RuntimeDirectory", "RuntimeDirectoryMode", "/run")):
        place.folder(f"{base}/{unit()[name][0]}", int(unit()[mode][0], 8), USER, USER)
    place.put("/etc/topdog/topdog.toml", "", 0o644)
    binary, *arguments = unit()["ExecStart"][0].split()
    assert os.path.basename(binary) == "topdog"
    server = place.start(arguments, environment)
    place.command(["init", "--org", "acme", "--tier", "FREE"], environment)
    assert "recorder" not in server.said()
    assert server.stop() == 0
    assert not place.path("/var/lib/topdog/root.key").exists(), "the root key is the credential, not one of its own"


def test_the_unit_gives_time_to_stop():
    assert int(unit()["TimeoutStopSec"][0]) >= 30 + 20


def test_systemd_understands_the_unit_and_finds_it_tight(tmp_path):
    binary = unit()["ExecStart"][0].split()[0]
    file = tmp_path / "topdog.service"
    file.write_text(UNIT.read_text().replace(binary, "/bin/true"))
    shutil.copytree(DEPLOY / "systemd/topdog.service.d", tmp_path / "topdog.service.d")
    checked = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True)
    complaints = [line for line in checked.stderr.splitlines() if "topdog" in line]
    assert checked.returncode == 0 and complaints == [], checked.stderr
    tight = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", UNIT], capture_output=True, text=True)
    assert tight.returncode == 0, tight.stdout[-400:]


def syscalls(group):
    """Every call of a group of systemd's."""
    said = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True).stdout
    names = {line.strip() for line in said.splitlines()[1:] if line.strip() and not line.strip().startswith("#")}
    return {call for name in names for call in (syscalls(name) if name.startswith("@") else [name])}


def test_the_server_makes_no_call_that_the_unit_forbids(place):
    allowed = set()
    for line in unit()["SystemCallFilter"]:
        for name in line.removeprefix("~").split():
            allowed = allowed - syscalls(name) if line.startswith("~") else allowed | syscalls(name)
    place.folder("/var/lib/topdog", 0o700, USER, USER)
    environment = {"TOPDOG_DATA_DIR": "/var/lib/topdog"}
    trace = place.logs / "trace"
    # The tracer is a grandchild: signals go to the server.
    command = ["strace", "-D", "-f", "-qq", "--signal=none", "-o", trace, "chroot", f"--userspec={USER}:{USER}", place.root,
               "/topdog", "serve", "--demo", *FREE]
    server = Server(place.logs, command, place.path("/var/lib/topdog"), env=environment | {"PATH": os.environ["PATH"]})
    key = wait_for("the demo says its key", lambda: re.search(r"td_(?:live|test)_[0-9A-Za-z]{61}", server.said()))[0]
    assert server.chat(key, stream=True)[0] == 200
    server.stop()
    text = trace.read_text()
    # What chroot itself does comes before the server's start.
    started = text[text.index('execve("/topdog"'):]
    made = set(re.findall(r"^\d+ +(\w+)\(", started, re.M))
    assert len(made) > 30
    assert made - allowed == set()
