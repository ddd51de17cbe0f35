"""mistralai, Mistral's own SDK: its chat is OpenAI's, with other paths and habits."""
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from asked import ADA, HELLO, LENGTH, PERSON, SAID_AT_LENGTH, SAID_HELLO, SAID_WEATHER, SLOW_DOWN, WEATHER, WEATHER_SCHEMA, Person, both, assert_schema_arrived

pytestmark = [pytest.mark.gateway, pytest.mark.sdk("mistralai", "chat completions")]

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}]


@pytest.fixture
def client(bed):
    with Mistral(api_key=bed.api_keys["acme"], server_url=bed.base_url.removesuffix("/v1")) as client:
        yield client


def ask(text):
    return [{"role": "user", "content": text}]


@both
@pytest.mark.shows("chat")
def test_chat(client, model):
    answer = client.chat.complete(model=model, messages=ask(HELLO), max_tokens=64)
    assert answer.choices[0].message.content == SAID_HELLO
    assert (answer.choices[0].finish_reason, answer.usage.prompt_tokens, answer.usage.completion_tokens) == ("stop", 11, 7)


@both
@pytest.mark.shows("stream")
def test_stream(client, model):
    with client.chat.stream(model=model, messages=ask(LENGTH)) as stream:
        events = [event.data for event in stream]
    assert "".join(e.choices[0].delta.content or "" for e in events if e.choices) == SAID_AT_LENGTH


@both
@pytest.mark.shows("tools")
def test_tools(client, model):
    asked = ask(WEATHER)
    message = client.chat.complete(model=model, messages=asked, tools=TOOLS).choices[0].message
    told = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "name": "get_weather", "content": "21 degrees"}
    answer = client.chat.complete(model=model, messages=[*asked, message, told], tools=TOOLS)
    assert answer.choices[0].message.content == SAID_WEATHER


@both
@pytest.mark.shows("structured")
def test_structured(client, model, recorder):
    answer = client.chat.parse(Person, model=model, messages=ask(PERSON))
    assert answer.choices[0].message.parsed == ADA
    assert_schema_arrived(recorder)


@both
@pytest.mark.shows("errors")
def test_errors(client, model):
    with pytest.raises(SDKError) as caught:
        client.chat.complete(model=model, messages=ask(SLOW_DOWN))
    assert caught.value.status_code == 429 and "slow down" in caught.value.body
