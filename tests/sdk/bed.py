#!/usr/bin/env python3
"""Starts a whole machine for one test suite, runs the suite, and looks for leaked keys when it has ended.

    bed.py [--direct] NAME COMMAND...

What stands, all on loopback and on free ports, in target/testbed/run/NAME:

    SDK -> topdog (gateway/) -> recorder.py (upstream/) -> aimock, an emulator of the APIs of OpenAI and Anthropic from npm
                             -> a decoy that must never hear anything

The command finds everything in the JSON file that TOPDOG_BED names. gateway/ holds the server's data folder, its
config, its logs, the metrics page and the CLI's listings: scripts/canary searches all of it. What was asked for with
a secret in it (secret files, the recorder's log) lies outside of gateway/.

With --direct there is no topdog: the SDK talks to the recorder, which shows what the emulator itself can do.
"""
import contextlib
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TESTBED = pathlib.Path(os.environ.get("TOPDOG_TESTBED", ROOT / "target/testbed"))
TOPDOG = os.environ.get("TOPDOG_BIN", str(ROOT / "target/debug/topdog"))
START_TIMEOUT_S = 30


def main():
    direct = "--direct" in sys.argv[1:2]
    name, *command = sys.argv[2 if direct else 1:]
    bed = Bed(TESTBED / "run" / name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with bed:
        if direct:
            bed.facts.update(base_url=f"{bed.upstream_url}", direct=True, api_keys={"acme": bed.provider_key})
        else:
            bed.start_gateways()
        bed.write_facts()
        status = subprocess.run(command, env=dict(os.environ, TOPDOG_BED=str(bed.facts_file))).returncode
        if not direct:
            bed.collect()
    if direct:
        return status
    leaked = subprocess.run([ROOT / "scripts/canary", "--secrets", bed.secrets_file, bed.gateway]).returncode
    return status or leaked


class Bed:
    """One folder, its processes, and what the suite must know of them."""

    def __init__(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        self.gateway, self.outside = folder / "gateway", folder / "upstream"
        self.gateway.mkdir(parents=True)
        self.outside.mkdir()
        self.facts_file, self.secrets_file = self.outside / "bed.json", self.outside / "secrets.tsv"
        self.provider_key = "sk-proj-" + secrets.token_urlsafe(36)
        self.anthropic_key = "sk-ant-api03-" + secrets.token_urlsafe(36)
        self.cohere_key = secrets.token_urlsafe(30)
        self.gemini_key = "AIzaSy" + secrets.token_urlsafe(24)
        self.wrong_provider_key = "sk-proj-" + secrets.token_urlsafe(36)
        self.facts = {"direct": False, "provider_key": self.provider_key,
                      "anthropic_key": self.anthropic_key, "cohere_key": self.cohere_key,
                      "gemini_key": self.gemini_key, "wrong_provider_key": self.wrong_provider_key, "topdog": TOPDOG,
                      "secrets_file": str(self.secrets_file), "outside": str(self.outside),
                      "shown": str(self.outside / "shown.jsonl"),
                      "testbed": str(TESTBED)}
        for label, key in (("provider key", self.provider_key), ("key of Anthropic", self.anthropic_key),
                           ("key of Cohere", self.cohere_key), ("key of Gemini", self.gemini_key),
                           ("wrong provider key", self.wrong_provider_key)):
            self.note_secret(label, key)
        self.processes = []

    def __enter__(self):
        try:
            self.start_upstream()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            stop(process)

    def start_upstream(self):
        decoy = self.start_recorder("decoy")
        node = TESTBED / "venv/bin/node"
        aimock = TESTBED / "node/node_modules/@copilotkit/aimock/dist/cli.js"
        port = free_port()
        self.spawn("emulator", self.outside,
                   [node, aimock, "--port", str(port), "--fixtures", HERE / "emulator.json"],
                   AIMOCK_API_KEYS=",".join([self.provider_key, self.anthropic_key, self.cohere_key, self.gemini_key]))
        wait_for(lambda: answers(port, "/health"), "the emulator")
        recorder = self.start_recorder("recorder", "--upstream", f"127.0.0.1:{port}", "--decoy", f"127.0.0.1:{decoy}")
        self.upstream_url, self.decoy_url = f"http://127.0.0.1:{recorder}/v1", f"http://127.0.0.1:{decoy}/v1"
        self.facts |= {"recorder_log": str(self.outside / "recorder.jsonl"),
                       "decoy_log": str(self.outside / "decoy.jsonl"),
                       "recorder": f"127.0.0.1:{recorder}", "decoy": f"127.0.0.1:{decoy}"}

    def start_recorder(self, name, *more):
        port_file = self.outside / f"{name}.port"
        self.spawn(name, self.outside, [sys.executable, HERE / "recorder.py", "--log", self.outside / f"{name}.jsonl",
                                        "--port-file", port_file, *more])
        wait_for(port_file.exists, name)
        return int(port_file.read_text())

    def start_gateways(self):
        """The gateway under test, and one whose provider is not there."""
        live = self.start_gateway("live", self.upstream_url)
        dead = self.start_gateway("dead", f"http://127.0.0.1:{free_port()}/v1")
        keys = self.apply("live", self.organisations("acme", "free", "globex", "bare", "limits", "makers"))
        dead_keys = self.apply("dead", self.organisations("acme"))
        self.facts |= {"base_url": f"http://{live['gateway']}/v1", "gateway": live["gateway"], "admin": live["admin"],
                       "data_dir": str(self.gateway / "live"), "api_keys": keys,
                       "dead_base_url": f"http://{dead['gateway']}/v1", "dead_api_key": dead_keys["acme"]}

    def start_gateway(self, name, upstream_url):
        data, config = self.gateway / name, self.gateway / f"{name}.toml"
        data.mkdir(mode=0o700)
        config.write_text(CONFIG.format(upstream_url=upstream_url, upstream_origin=upstream_url.removesuffix("/v1"),
                                        decoy_url=self.decoy_url))
        # References such as env:BED_PROVIDER_KEY are followed by the server, so it has them too.
        self.spawn(f"serve-{name}", self.gateway, [TOPDOG, "serve", "--data-dir", data, "--config", config],
                   **self.provider_keys())
        listen = data / "run/listen.json"
        wait_for(lambda: listen.exists() and answers_at(json.loads(listen.read_text())["gateway"], "/readyz"),
                 f"topdog serve ({name}); see {self.gateway}/serve-{name}.log")
        return json.loads(listen.read_text())

    def organisations(self, *names):
        return "".join(ORGANISATIONS[n].format(outside=self.outside) for n in names)

    def apply(self, name, text):
        """Sets the gateway up from a file, as an operator would, and returns the API keys it wrote."""
        target = self.outside / name
        target.mkdir()
        file = target / "topdog.org.toml"
        file.write_text(text.replace(str(self.outside), str(target)))
        env = os.environ | self.provider_keys()
        for _ in range(2):  # the second run changes nothing: apply is idempotent
            done = subprocess.run([TOPDOG, "apply", "--data-dir", self.gateway / name, "-f", file],
                                  env=env, capture_output=True, text=True, cwd=target)
            (target / "apply.log").write_text(done.stdout + done.stderr)
            if done.returncode:
                raise SystemExit(f"topdog apply failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        keys = {}
        for file in target.glob("*.key"):
            if file.stat().st_mode & 0o077:
                raise SystemExit(f"{file} can be read by others: mode {file.stat().st_mode & 0o777:o}")
            keys[file.stem] = file.read_text().strip()
            self.note_secret(f"api key {name}/{file.stem}", keys[file.stem])
        return keys

    def provider_keys(self):
        return {"BED_PROVIDER_KEY": self.provider_key, "BED_ANTHROPIC_KEY": self.anthropic_key,
                "BED_COHERE_KEY": self.cohere_key, "BED_GEMINI_KEY": self.gemini_key,
                "BED_WRONG_KEY": self.wrong_provider_key}

    def collect(self):
        """Everything that a person may look at lands in gateway/ too, for the canary to search."""
        for name in ("live", "dead"):
            listen = json.loads((self.gateway / name / "run/listen.json").read_text())
            (self.gateway / f"metrics-{name}.txt").write_bytes(fetch(listen["admin"], "/metrics"))
        for name, args in {"audit": ["audit", "list"], "usage": ["usage"], "keys": ["api-keys", "list"],
                           "provider-keys": ["provider-keys", "list"], "audit-verify": ["audit", "verify"]}.items():
            done = subprocess.run([TOPDOG, *args, "--org", "acme", "--data-dir", self.gateway / "live"],
                                  capture_output=True)
            (self.gateway / f"cli-{name}.txt").write_bytes(done.stdout + done.stderr)
            if done.returncode:
                raise SystemExit(f"topdog {' '.join(args)} failed ({done.returncode}): {done.stderr.decode()}")

    def note_secret(self, label, secret):
        with open(self.secrets_file, "a") as f:
            f.write("\t".join([label, secret, *public_part(secret)]) + "\n")

    def write_facts(self):
        self.facts_file.write_text(json.dumps(self.facts, indent=1))

    def spawn(self, name, folder, command, **env):
        log = open(folder / f"{name}.log", "wb")
        self.processes.append(subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log,
                                               stderr=subprocess.STDOUT, cwd=folder, env=dict(os.environ, **env),
                                               start_new_session=True))
        return self.processes[-1]


def public_part(secret):
    """A Top Dog key's prefix and public id may be shown; all that follows them may not."""
    return [secret[:len("td_live_") + 12]] if secret.startswith("td_") else []


def stop(process):
    """Ends a process that we started, and those that it started (PyPI's `node` starts the real one): asks first, so that
    it can write what it still holds."""
    for signum, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(address, path):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def answers_at(address, path):
    try:
        return bool(fetch(address, path)) or True
    except (OSError, http.client.HTTPException):
        return False


def answers(port, path):
    return answers_at(f"127.0.0.1:{port}", path)


def wait_for(ready, what):
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not start within {START_TIMEOUT_S} s")
        time.sleep(0.02)


CONFIG = """\
[server]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"

[providers.openai]
base_url = "{upstream_url}"

[providers.anthropic]
base_url = "{upstream_url}"

[providers.cohere]
base_url = "{upstream_origin}"

[providers.gemini]
base_url = "{upstream_origin}"

[providers.mistral]
base_url = "{decoy_url}"

[[egress.allow]]
net = "127.0.0.0/8"
plain_http = true
"""

# The organisations of the suites, and why each is there.
ORGANISATIONS = {
    # An ordinary customer: everything it asks for is allowed. Its provider key is sealed, the others' are references.
    "acme": """
[[organisation]]
name = "acme"
tier = "PRO-PLUS"
[[organisation.provider_key]]
provider = "openai"
from = "env:BED_PROVIDER_KEY"
seal = true
[[organisation.provider_key]]
provider = "anthropic"
from = "env:BED_ANTHROPIC_KEY"
[[organisation.api_key]]
name = "ci"
scopes = ["llm"]
secret_file = "{outside}/acme.key"
[[organisation.api_key]]
name = "manager"
scopes = ["usage:read"]
secret_file = "{outside}/acme-manager.key"
""",
    # A customer of every maker whose API the emulator speaks.
    "makers": """
[[organisation]]
name = "makers"
tier = "TEAMS-SMALL"
[[organisation.provider_key]]
provider = "openai"
from = "env:BED_PROVIDER_KEY"
[[organisation.provider_key]]
provider = "anthropic"
from = "env:BED_ANTHROPIC_KEY"
[[organisation.provider_key]]
provider = "cohere"
from = "env:BED_COHERE_KEY"
[[organisation.provider_key]]
provider = "gemini"
from = "env:BED_GEMINI_KEY"
[[organisation.api_key]]
name = "ci"
scopes = ["llm"]
secret_file = "{outside}/makers.key"
""",
    # Two LLM requests a day, and no other provider than OpenAI.
    "free": """
[[organisation]]
name = "free"
tier = "FREE"
[[organisation.provider_key]]
provider = "openai"
from = "env:BED_PROVIDER_KEY"
[[organisation.api_key]]
name = "ci"
scopes = ["llm"]
secret_file = "{outside}/free.key"
""",
    # Its provider refuses the key it brought.
    "globex": """
[[organisation]]
name = "globex"
tier = "PRO"
[[organisation.provider_key]]
provider = "openai"
from = "env:BED_WRONG_KEY"
[[organisation.provider_key]]
provider = "anthropic"
from = "env:BED_WRONG_KEY"
[[organisation.api_key]]
name = "ci"
scopes = ["llm"]
secret_file = "{outside}/globex.key"
""",
    # It has not brought a provider key yet.
    "bare": """
[[organisation]]
name = "bare"
tier = "PRO"
[[organisation.api_key]]
name = "ci"
scopes = ["llm"]
secret_file = "{outside}/bare.key"
""",
    # FREE again, for what FREE's basic OpenAI does not hold.
    "limits": """
[[organisation]]
name = "limits"
tier = "FREE"
[[organisation.provider_key]]
provider = "openai"
from = "env:BED_PROVIDER_KEY"
[[organisation.api_key]]
name = "ci"
scopes = ["llm"]
secret_file = "{outside}/limits.key"
""",
}


if __name__ == "__main__":
    sys.exit(main())
