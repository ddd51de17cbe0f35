"""What every test in Python gets: clients, the recorder's log, the CLI; and what tests show, for docs/compatibility.md."""
import json
import os
import subprocess
import time

import anthropic
import openai
import pytest

# How long the recorder may take to write down an exchange that has ended.
RECORD_PATIENCE_S = 3
KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")


class Bed:
    """The machine that bed.py started, as its JSON file tells it."""

    def __init__(self, facts):
        self.facts = facts
        self.direct = facts["direct"]
        self.base_url = facts["base_url"]
        self.provider_key = facts["provider_key"]
        self.api_keys = facts["api_keys"]

    def client(self, org="acme", **options):
        options = {"api_key": self.api_keys.get(org), "base_url": self.base_url, "max_retries": 0, "timeout": 20} | options
        return openai.OpenAI(**options)

    def anthropic(self, org="acme", **options):
        """Anthropic's client, whose base URL is without /v1."""
        base_url = self.base_url.removesuffix("/v1")
        key = self.facts["anthropic_key"] if self.direct else self.api_keys.get(org)
        return anthropic.Anthropic(**({"api_key": key, "base_url": base_url, "max_retries": 0, "timeout": 20} | options))

    def records(self, since=0):
        # A line without its end is still being written.
        lines = open(self.facts["recorder_log"]).read().split("\n")[:-1]
        return [json.loads(line) for line in lines][since:]

    def keys_for(self, path):
        """The header and the key that belong on a provider's path: the customer's own, or the one that it has wrong."""
        own, wrong = self.facts, self.facts["wrong_provider_key"]
        if path.startswith("/v1/messages"):
            return [("x-api-key", own["anthropic_key"]), ("x-api-key", wrong)]
        if path.startswith("/v1beta/"):
            return [("x-goog-api-key", own["gemini_key"])]
        if path.startswith("/v2/"):
            return [("authorization", f"Bearer {own['cohere_key']}")]
        return [("authorization", f"Bearer {key}") for key in (own["provider_key"], wrong)]

    def settled(self):
        """So many records there are once all that began has ended, or should have."""
        deadline = time.monotonic() + RECORD_PATIENCE_S
        begun = self.facts["recorder_log"] + ".begun"
        while (count := len(self.records())) < os.path.getsize(begun) and time.monotonic() < deadline:
            time.sleep(0.01)
        return count

    def decoy_records(self):
        return open(self.facts["decoy_log"]).read()

    def await_record(self, since, wanted=lambda record: True):
        """The first record after `since` that is wanted; recorded when the exchange ends, so a little later."""
        deadline = time.monotonic() + RECORD_PATIENCE_S
        while time.monotonic() < deadline:
            if found := [r for r in self.records(since) if wanted(r)]:
                return found[0]
            time.sleep(0.01)
        raise AssertionError("the recorder saw no such request")

    def cli(self, *args, env=None):
        """Runs `topdog` as the operator; its JSON output where it has one."""
        command = [self.facts["topdog"], *args, "--data-dir", self.facts["data_dir"]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ, **(env or {})))
        assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stderr}"
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def create_key(self, name, *options, org="acme"):
        made = self.cli("api-keys", "create", "--org", org, "--name", name, "--output", "json", *options)
        with open(self.facts["secrets_file"], "a") as f:
            f.write(f"api key {name}\t{made['secret']}\t{made['secret'][:len('td_live_') + 12]}\n")
        return made


@pytest.fixture(scope="session")
def bed():
    return Bed(json.load(open(os.environ["TOPDOG_BED"])))


@pytest.fixture
def client(bed):
    return bed.client()


@pytest.fixture
def recorder(bed):
    """The bed, with `recorder.mark` at the end of the log as it was when the test began."""
    bed.mark = bed.settled()
    return bed


@pytest.fixture(autouse=True)
def skip_what_needs_the_gateway(request, bed):
    if bed.direct and request.node.get_closest_marker("gateway"):
        pytest.skip("needs the gateway; this run talks to the emulator itself")


@pytest.fixture(scope="session", autouse=True)
def the_right_key_went_to_the_right_host(bed):
    """After all tests: every request upstream carried a customer's provider key, none our own, and the decoy got none."""
    yield
    records = bed.records()
    assert records, "nothing reached the upstream at all"
    # Without the gateway an SDK brings the customer's key itself, in what header it likes.
    for record in records if not bed.direct else []:
        text = json.dumps(record)
        assert "td_live_" not in text and "td_test_" not in text, f"{record['path']} carried our own key"
        keys = [(name.lower(), value) for name, value in record["headers"] if name.lower() in KEY_HEADERS]
        assert len(keys) == 1 and keys[0] in bed.keys_for(record["path"]), f"{record['path']} carried {keys}"
    assert bed.decoy_records() == "", "a request went to a host that is not the provider's"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Writes down what a test has shown: `compatibility.py` makes the table of it."""
    report = yield
    sdk, shows = item.get_closest_marker("sdk"), item.get_closest_marker("shows")
    if shows and report.when == "call" and report.passed:
        model = shows.kwargs.get("model") or item.callspec.params["model"]
        facts = json.load(open(os.environ["TOPDOG_BED"]))
        with open(facts["shown"], "a") as f:
            f.write(json.dumps([*sdk.args, model.split("/")[0], *shows.args, shows.kwargs.get("how", "✓")]) + "\n")
    return report
