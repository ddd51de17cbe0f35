"""Claude Code, as npm has it, does a task that needs a tool: with Claude, and with a model of OpenAI's."""
import json
import re

import pytest

pytestmark = [pytest.mark.gateway, pytest.mark.sdk("@anthropic-ai/claude-code", "Messages")]

TASK = "leave a note for Claude Code"
NOTE = "written by a tool of Claude Code\n"


def do_the_task(desk, *blocks, may_fail=False):
    """Sets it up as the documentation says, and has it write a file."""
    env = {name: value.strip("'") for name, value in re.findall(r"^export (\w+)=(.*)$", "".join(blocks), re.M)}
    env |= {"ANTHROPIC_BASE_URL": desk.bed.base_url.removesuffix("/v1"), "ANTHROPIC_AUTH_TOKEN": desk.bed.api_keys["acme"]}
    command = [desk.node, desk.installed / "@anthropic-ai/claude-code/cli-wrapper.cjs", "-p", TASK,
               "--allowedTools", "Write", "--output-format", "json"]
    return json.loads(desk.run(command, may_fail, **env, CLAUDE_CONFIG_DIR=str(desk.home / "claude")))


def assert_done(desk, told):
    assert (told["is_error"], told["result"]) == (False, "The note is there."), told
    assert (desk.work / "note.txt").read_text() == NOTE


@pytest.mark.shows("task", model="anthropic")
def test_with_claude(desk, recorder):
    as_it_is, _ = desk.documented("sh", "Claude Code")
    assert_done(desk, do_the_task(desk, as_it_is))
    asked = desk.asked(recorder.mark)
    assert {record["path"].split("?")[0] for record in asked} == {"/v1/messages"}
    # Nothing was taken out on the way.
    sent = asked[0]["json"]
    assert "cache_control" in json.dumps(sent) and sent["thinking"] and sent["context_management"]
    assert any(name.lower() == "anthropic-beta" for name, _ in asked[0]["headers"])


@pytest.mark.shows("task", model="openai", how="lenient")
def test_with_a_model_of_openais(desk, recorder):
    assert_done(desk, do_the_task(desk, *desk.documented("sh", "Claude Code")))
    asked = desk.asked(recorder.mark)
    assert {record["path"] for record in asked} == {"/v1/chat/completions"}
    sent = asked[-1]["json"]
    assert [m["tool_call_id"] for m in sent["messages"] if m["role"] == "tool"] == ["toolu_note"]
    assert sent["reasoning_effort"] and "prompt_cache_breakpoint" in json.dumps(sent["messages"]), "what can be said is"


def test_what_it_asks_and_other_providers_have_no_words_for(desk, recorder):
    """Without lenient translation it is told, and that is what the documentation says is left out."""
    as_it_is, of_another = desk.documented("sh", "Claude Code")
    strict = of_another.replace("x-topdog-translation: lenient", "x-topdog-translation: strict")
    told = do_the_task(desk, as_it_is, strict, may_fail=True)
    assert told["is_error"] and desk.asked(recorder.mark) == []
    assert desk.unsaid(told["result"]) == desk.left_out("Claude Code")
