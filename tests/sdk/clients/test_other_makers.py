"""The SDKs of OpenAI and Anthropic with the models of makers who speak neither API: all of it is translated."""
import json

import anthropic
import openai
import pytest

from asked import ADA, COMMAND, GEMINI, HELLO, LENGTH, PERSON, SAID_AT_LENGTH, SAID_HELLO, SAID_WEATHER, SLOW_DOWN, WEATHER, WEATHER_SCHEMA, Person, assert_schema_arrived

pytestmark = pytest.mark.gateway

of_openai = pytest.mark.sdk("openai", "chat completions")
of_anthropic = pytest.mark.sdk("anthropic", "Messages")
every = pytest.mark.parametrize("model", [COMMAND, GEMINI])


def ask(text):
    return [{"role": "user", "content": text}]


@pytest.fixture
def gpt(bed):
    return bed.client("makers").chat.completions


@pytest.fixture
def claude(bed):
    return bed.anthropic("makers").messages


@of_openai
@every
@pytest.mark.shows("chat")
def test_chat(gpt, model):
    answer = gpt.create(model=model, messages=ask(HELLO), max_tokens=64)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (SAID_HELLO, "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 7)


@of_openai
@every
@pytest.mark.shows("stream")
def test_stream(gpt, model):
    chunks = list(gpt.create(model=model, messages=ask(LENGTH), stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == SAID_AT_LENGTH
    assert chunks[-1].usage.completion_tokens == 16


@of_openai
@every
@pytest.mark.shows("tools")
def test_tools(gpt, model):
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}]
    message = gpt.create(model=model, messages=ask(WEATHER), tools=tools).choices[0].message
    call = message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "Paris", "unit": "celsius"}
    told = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    answer = gpt.create(model=model, messages=[*ask(WEATHER), message, told], tools=tools)
    assert answer.choices[0].message.content == SAID_WEATHER


@of_openai
@every
@pytest.mark.shows("structured")
def test_structured(gpt, model, recorder):
    answer = gpt.parse(model=model, messages=ask(PERSON), response_format=Person)
    assert answer.choices[0].message.parsed == ADA
    assert_schema_arrived(recorder)


@of_openai
@every
@pytest.mark.shows("errors")
def test_errors(gpt, model):
    with pytest.raises(openai.RateLimitError, match="slow down"):
        gpt.create(model=model, messages=ask(SLOW_DOWN))


@of_anthropic
@every
@pytest.mark.shows("chat")
def test_message(claude, model):
    answer = claude.create(model=model, max_tokens=64, messages=ask(HELLO))
    assert (answer.content[0].text, answer.stop_reason) == (SAID_HELLO, "end_turn")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)


@of_anthropic
@every
@pytest.mark.shows("stream")
def test_streamed_message(claude, model):
    with claude.stream(model=model, max_tokens=64, messages=ask(LENGTH)) as stream:
        assert "".join(stream.text_stream) == SAID_AT_LENGTH
        assert stream.get_final_message().usage.output_tokens == 16


@of_anthropic
@every
@pytest.mark.shows("tools")
def test_tools_of_a_message(claude, model):
    more = {"model": model, "max_tokens": 64, "tools": [{"name": "get_weather", "input_schema": WEATHER_SCHEMA}]}
    said = claude.create(messages=ask(WEATHER), **more).content
    call = next(block for block in said if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}
    told = [{"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
    assert claude.create(messages=ask(WEATHER) + told, **more).content[0].text == SAID_WEATHER


@of_anthropic
@every
@pytest.mark.shows("errors")
def test_errors_of_a_message(claude, model):
    with pytest.raises(anthropic.RateLimitError, match="slow down"):
        claude.create(model=model, max_tokens=64, messages=ask(SLOW_DOWN))
