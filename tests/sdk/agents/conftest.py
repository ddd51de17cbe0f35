"""What the coding agents run in: a home and a work folder of their own, and no way out but to the gateway."""
import os
import pathlib
import re
import subprocess

import pytest

# An agent starts in one or two seconds and asks two to four times; on a busy machine it takes longer.
PATIENCE_S = 120

GUIDE = pathlib.Path(__file__).resolve().parents[3] / "docs/coding-agents.md"


def section(about):
    return GUIDE.read_text().split(f"\n## {about}\n")[1].split("\n## ")[0]


def documented(kind, about):
    """The blocks of one kind under a heading of docs/coding-agents.md: what a reader copies is what is tested."""
    return re.findall(rf"^```{kind}\n(.*?)^```", section(about), re.M | re.S)


def left_out(about):
    """The fields of the table under that heading."""
    return set(re.findall(r"^\| `([^`]+)` \|", section(about), re.M))


class Desk:
    """Where one agent works."""

    def __init__(self, bed, folder):
        self.bed, self.home, self.work = bed, folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        testbed = pathlib.Path(bed.facts["testbed"])
        self.documented, self.left_out, self.unsaid = documented, left_out, unsaid
        self.node, self.installed = testbed / "venv/bin/node", testbed / "agents/node_modules"

    def run(self, command, may_fail=False, **env):
        """Runs an agent to its end, and gives what it said. What it does not ask of the gateway it asks of a proxy that is none: the decoy, which
        must not hear anything."""
        elsewhere = f"http://{self.bed.facts['decoy']}"
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TERM": "dumb", "HTTPS_PROXY": elsewhere,
               "HTTP_PROXY": elsewhere, "NO_PROXY": "127.0.0.1"} | env
        done = subprocess.run([str(c) for c in command], env=env, cwd=self.work, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE_S)
        assert may_fail or done.returncode == 0, f"{done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def asked(self, since):
        """What reached the provider, in its order."""
        return [record for record in self.bed.records(since) if record["method"] == "POST"]


def unsaid(refusal):
    """The fields that a refusal names as not to be translated, as the documentation writes them."""
    assert "The model's provider can't be asked for this" in refusal, refusal
    return {re.sub(r"\[\d+\]", "[]", field) for field in re.findall(r"'([\w.\[\]]+)' \(", refusal)}


@pytest.fixture
def desk(bed, tmp_path):
    return Desk(bed, tmp_path)
