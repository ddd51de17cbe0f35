"""Codex, as npm has it, does a task that needs a tool: with a model of OpenAI's, and with Claude."""
import json

import pytest

pytestmark = [pytest.mark.gateway, pytest.mark.sdk("@openai/codex", "Responses")]

TASK = "leave a note for Codex"
NOTE = "written by a tool of Codex\n"


def do_the_task(desk, place, quiet, may_fail=False):
    """Sets it up as the documentation says, and has it write a file."""
    home = desk.home / "codex"
    home.mkdir()
    # Settings outside of tables come first in a file of TOML.
    top, tables = quiet.split("\n\n", 1)
    config = f"{top}\n{place}\n{tables}".replace("http://127.0.0.1:8080/v1", desk.bed.base_url)
    (home / "config.toml").write_text(config)
    # The test's own folder is all there is to lose, and a sandbox within a container is not to be had everywhere.
    command = [desk.node, desk.installed / "@openai/codex/bin/codex.js", "exec", "--skip-git-repo-check",
               "--dangerously-bypass-approvals-and-sandbox", "--json", TASK]
    said = desk.run(command, may_fail, CODEX_HOME=str(home), TOPDOG_KEY=desk.bed.api_keys["acme"])
    return [json.loads(line) for line in said.splitlines()]


def assert_done(desk, told):
    assert "The note is there." in [event.get("item", {}).get("text") for event in told], told
    assert (desk.work / "note.txt").read_text() == NOTE


@pytest.mark.shows("task", model="openai")
def test_with_a_model_of_openais(desk, recorder):
    as_it_is, quiet, _ = desk.documented("toml", "Codex")
    assert_done(desk, do_the_task(desk, as_it_is, quiet))
    asked = desk.asked(recorder.mark)
    assert {record["path"] for record in asked} == {"/v1/responses"}
    assert asked[0]["json"]["client_metadata"], "nothing was taken out on the way"


@pytest.mark.shows("task", model="anthropic", how="lenient")
def test_with_claude(desk, recorder):
    _, quiet, with_claude = desk.documented("toml", "Codex")
    assert_done(desk, do_the_task(desk, with_claude, quiet))
    asked = desk.asked(recorder.mark)
    assert {record["path"] for record in asked} == {"/v1/messages"}
    sent = asked[-1]["json"]
    assert "exec_command" in [tool["name"] for tool in sent["tools"]]
    assert sent["system"][-1]["cache_control"] and sent["messages"][-1]["content"][-1]["cache_control"], "it counts on a cache"


def test_what_it_asks_and_other_providers_have_no_words_for(desk, recorder):
    """Without lenient translation it is told, and that is what the documentation says is left out."""
    _, quiet, with_claude = desk.documented("toml", "Codex")
    told = do_the_task(desk, with_claude.replace('"lenient"', '"strict"'), quiet, may_fail=True)
    assert desk.asked(recorder.mark) == []
    failed = next(event for event in told if event["type"] == "turn.failed")
    assert desk.unsaid(failed["error"]["message"]) == desk.left_out("Codex")
