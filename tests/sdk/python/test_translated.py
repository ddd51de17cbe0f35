"""Callers of one API and providers of the other: both SDKs, translated by Top Dog, against the emulator's own dialects."""
import json

import anthropic
import openai
import pytest

CLAUDE = "anthropic/claude-sonnet-5"
GPT = "openai/gpt-4o-mini"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CHAT_TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
MESSAGES_TOOLS = [{"name": "get_weather", "input_schema": SCHEMA}]

pytestmark = pytest.mark.gateway
of_openai = pytest.mark.sdk("openai", "chat completions")
of_anthropic = pytest.mark.sdk("anthropic", "Messages")


def ask(text):
    return [{"role": "user", "content": text}]


def sent_to(recorder, path, key):
    """The one request upstream, which went there with that provider's key and no other's."""
    record = recorder.await_record(recorder.mark)
    assert record["path"] == path
    text = json.dumps(record)
    assert recorder.facts[key] in text
    assert [recorder.facts[k] in text for k in ("provider_key", "anthropic_key")].count(True) == 1
    return record["json"]


# --- OpenAI's SDK, Anthropic's API --------------------------------------------------------------------------------

@of_openai
@pytest.mark.shows("chat", model="anthropic")
def test_chat_with_claude(client, recorder):
    messages = [{"role": "system", "content": "be kind"}, *ask("say hello")]
    answer = client.chat.completions.create(model=CLAUDE, messages=messages, max_tokens=64, stop=["x"])
    assert answer.choices[0].message.content == "Hello from upstream, café 😀."
    assert (answer.choices[0].finish_reason, answer.usage.prompt_tokens, answer.usage.completion_tokens) == ("stop", 11, 7)
    sent = sent_to(recorder, "/v1/messages", "anthropic_key")
    assert sent["model"] == "claude-sonnet-5" and sent["max_tokens"] == 64 and sent["stop_sequences"] == ["x"]
    assert "be kind" in json.dumps(sent["system"])


@of_openai
@pytest.mark.shows("stream", model="anthropic")
def test_a_streamed_chat_with_claude(client):
    chunks = list(client.chat.completions.create(model=CLAUDE, messages=ask("answer at length"), stream=True,
                                                 stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text.startswith("one two three") and text.endswith("sixteen")
    assert chunks[-1].usage.completion_tokens == 16
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]


@of_openai
@pytest.mark.shows("tools", model="anthropic")
@pytest.mark.parametrize("is_stream", [False, True])
def test_claude_calls_a_tool_of_a_chat(client, is_stream):
    asked = ask("weather in Paris")
    if is_stream:
        with client.chat.completions.stream(model=CLAUDE, messages=asked, tools=CHAT_TOOLS) as stream:
            stream.until_done()
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.create(model=CLAUDE, messages=asked, tools=CHAT_TOOLS)
    message = answer.choices[0].message
    call = message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls" and json.loads(call.function.arguments)["city"] == "Paris"
    told = [{"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": {
                "name": call.function.name, "arguments": call.function.arguments}}]},
            {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
    answer = client.chat.completions.create(model=CLAUDE, messages=asked + told, tools=CHAT_TOOLS)
    assert answer.choices[0].message.content == "It is 21 degrees in Paris."


@pytest.mark.sdk("openai", "Responses")
@pytest.mark.shows("chat", model="anthropic")
def test_responses_from_claude(client):
    answer = client.responses.create(model=CLAUDE, input="say hello")
    assert answer.output_text == "Hello from upstream, café 😀." and answer.usage.output_tokens == 7
    kinds = [e.type for e in client.responses.create(model=CLAUDE, input="say hello", stream=True)]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"


@of_openai
@pytest.mark.shows("errors", model="anthropic")
def test_claudes_errors_in_openais_classes(client):
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model=CLAUDE, messages=ask("fail with 429"))
    assert caught.value.response.headers["retry-after"] == "7" and "slow down" in caught.value.message
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=CLAUDE, messages=ask("fail with 400"))
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="anthropic/scripted-529", messages=ask("say hello"))
    assert "Overloaded" in caught.value.message


@pytest.mark.parametrize("model, text", [(CLAUDE, "break off"), ("anthropic/scripted-529-in-stream", "say hello")])
def test_a_broken_stream_of_claudes_is_an_error_of_a_chat(client, model, text):
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model=model, messages=ask(text), stream=True))


def test_what_claude_can_not_be_asked_for(client, recorder):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=CLAUDE, messages=ask("say hello"), logit_bias={"1": 5})
    assert caught.value.code == "not_translatable" and caught.value.param == "logit_bias"
    assert recorder.records(recorder.mark) == []
    raw = client.chat.completions.with_raw_response.create(
        model=CLAUDE, messages=ask("say hello"), logit_bias={"1": 5}, extra_headers={"x-topdog-translation": "lenient"})
    assert raw.headers["x-topdog-dropped"] == "logit_bias"


# --- Anthropic's SDK, OpenAI's API --------------------------------------------------------------------------------

@pytest.fixture
def claude(bed):
    return bed.anthropic()


@of_anthropic
@pytest.mark.shows("chat", model="openai")
def test_a_message_to_gpt(claude, recorder):
    answer = claude.messages.create(model=GPT, max_tokens=64, system="be kind", messages=ask("say hello"))
    assert [b.text for b in answer.content] == ["Hello from upstream, café 😀."]
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("end_turn", 11, 7)
    sent = sent_to(recorder, "/v1/chat/completions", "provider_key")
    assert sent["model"] == "gpt-4o-mini" and "be kind" in json.dumps(sent["messages"][0])


@of_anthropic
@pytest.mark.shows("stream", model="openai")
def test_a_streamed_message_to_gpt(claude):
    with claude.messages.stream(model=GPT, max_tokens=64, messages=ask("answer at length")) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    assert text.startswith("one two three") and text.endswith("sixteen")
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("end_turn", 9, 16)


@of_anthropic
@pytest.mark.shows("tools", model="openai")
@pytest.mark.parametrize("is_stream", [False, True])
def test_gpt_calls_a_tool_of_a_message(claude, is_stream):
    asked = ask("weather in Paris")
    more = {"model": GPT, "max_tokens": 64, "tools": MESSAGES_TOOLS}
    if is_stream:
        with claude.messages.stream(messages=asked, **more) as stream:
            answer = stream.get_final_message()
    else:
        answer = claude.messages.create(messages=asked, **more)
    call = next(b for b in answer.content if b.type == "tool_use")
    assert answer.stop_reason == "tool_use" and call.input["city"] == "Paris"
    told = [{"role": "assistant", "content": [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}]}]
    assert claude.messages.create(messages=asked + told, **more).content[0].text == "It is 21 degrees in Paris."


@of_anthropic
@pytest.mark.shows("errors", model="openai")
def test_gpts_errors_in_anthropics_classes(claude):
    for text, kind, name in (("fail with 429", anthropic.RateLimitError, "rate_limit_error"),
                             ("fail with 400", anthropic.BadRequestError, "invalid_request_error"),
                             ("fail with 500", anthropic.InternalServerError, "api_error")):
        with pytest.raises(kind) as caught:
            claude.messages.create(model=GPT, max_tokens=64, messages=ask(text))
        assert caught.value.body["error"]["type"] == name


def test_a_broken_stream_of_gpts_is_an_error_of_a_message(claude):
    with pytest.raises(anthropic.APIStatusError):
        with claude.messages.stream(model=GPT, max_tokens=64, messages=ask("break off")) as stream:
            stream.until_done()


def test_gpt_counts_no_tokens(claude, recorder):
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.messages.count_tokens(model=GPT, messages=ask("one two"))
    assert caught.value.body["error"]["code"] == "operation_unsupported"
    assert recorder.records(recorder.mark) == []
