"""What all tests of this folder share: where things are, and a running demo of the binary."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
TESTBED = pathlib.Path(os.environ.get("TOPDOG_TESTBED", ROOT / "target/testbed"))
TOPDOG = pathlib.Path(os.environ.get("TOPDOG_BIN", ROOT / "target/debug/topdog"))
PROMETHEUS = TESTBED / "prometheus/usr/bin"
PATIENCE_S = 30


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def get(url, **headers):
    """Status and text of an answer, whatever the status."""
    return ask(urllib.request.Request(url, headers=headers))


def ask(request):
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_for(what, is_so):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = is_so()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"it never became true that {what}")


def says_yes(url):
    try:
        return get(url)[0] == 200
    except OSError:
        return False


class Running:
    """A process that is ended with the test."""

    def __init__(self, command, log, **more):
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **more)

    def stop(self, patience_s=PATIENCE_S):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def said(self):
        return self.log.read_text(errors="replace")


class Server(Running):
    """`topdog serve` on free ports, once it takes requests."""

    def __init__(self, folder, command, data_dir, **more):
        super().__init__(command, folder / "topdog.log", **more)
        listen = data_dir / "run/listen.json"
        try:
            wait_for(f"the server serves: {' '.join(map(str, command))}", lambda: self.is_up(listen))
        except AssertionError as error:
            self.process.kill()
            raise AssertionError(f"{error}\n{self.said()}") from None
        found = json.loads(listen.read_text())
        self.gateway, self.admin = f"http://{found['gateway']}", f"http://{found['admin']}"

    def is_up(self, listen):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}")
        return listen.exists()

    def chat(self, key, headers=None, model="test/echo", **more):
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json", **(headers or {})}
        url = f"{self.gateway}/v1/chat/completions"
        return ask(urllib.request.Request(url, json.dumps(body).encode(), headers))


@pytest.fixture
def folder(tmp_path):
    """A folder that another user can get into."""
    for place in (tmp_path, *tmp_path.parents):
        if place == pathlib.Path("/tmp") or place == pathlib.Path("/"):
            break
        place.chmod(0o755)
    return tmp_path


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A server with the test provider and one organisation, and its key."""
    folder = tmp_path_factory.mktemp("demo")
    data = folder / "data"
    command = [TOPDOG, "serve", "--demo", "--data-dir", data, "--listen", "127.0.0.1:0", "--admin-listen",
               "127.0.0.1:0", "--workers", "2"]
    server = Server(folder, command, data, env={})
    server.key = wait_for("the demo says its key", lambda: demo_key(server))
    yield server
    assert server.stop() == 0, server.said()


def demo_key(server):
    found = re.search(r"td_(?:live|test)_[0-9A-Za-z]{61}", server.said())
    return found and found[0]


def need(tool):
    """The path of a tool; without it the tests fail, since they would prove nothing."""
    found = shutil.which(tool, path=f"{PROMETHEUS}:{os.environ['PATH']}")
    assert found, f"{tool} is missing: run scripts/test deploy, which installs it"
    return found
