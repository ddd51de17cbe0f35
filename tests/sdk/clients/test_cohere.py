"""Cohere's own SDK, second version of its API."""
import cohere
import pytest
from cohere.errors import TooManyRequestsError

from asked import ADA, CLAUDE, COMMAND, GPT, HELLO, LENGTH, PERSON, SAID_AT_LENGTH, SAID_HELLO, SAID_WEATHER, SLOW_DOWN, WEATHER, WEATHER_SCHEMA, Person, assert_schema_arrived

pytestmark = [pytest.mark.gateway, pytest.mark.sdk("cohere", "Cohere v2")]

TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "now", "parameters": WEATHER_SCHEMA}}]

every = pytest.mark.parametrize("model", [COMMAND, GPT, CLAUDE])


@pytest.fixture
def client(bed):
    return cohere.ClientV2(api_key=bed.api_keys["makers"], base_url=bed.base_url.removesuffix("/v1"), max_retries=0)


def ask(text):
    return [{"role": "user", "content": text}]


@every
@pytest.mark.shows("chat")
def test_chat(client, model):
    answer = client.chat(model=model, messages=ask(HELLO), max_tokens=64)
    assert (answer.message.content[0].text, answer.finish_reason) == (SAID_HELLO, "COMPLETE")
    assert (answer.usage.tokens.input_tokens, answer.usage.tokens.output_tokens) == (11, 7)


@every
@pytest.mark.shows("stream")
def test_stream(client, model):
    events = list(client.chat_stream(model=model, messages=ask(LENGTH)))
    pieces = [event.delta.message.content.text for event in events if event.type == "content-delta"]
    assert "".join(pieces) == SAID_AT_LENGTH and len(pieces) > 4
    assert (events[0].type, events[-1].type) == ("message-start", "message-end")


@every
@pytest.mark.shows("tools")
def test_tools(client, model):
    asked = ask(WEATHER)
    message = client.chat(model=model, messages=asked, tools=TOOLS).message
    told = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "21 degrees"}
    again = {"role": "assistant", "tool_calls": message.tool_calls}
    answer = client.chat(model=model, messages=[*asked, again, told], tools=TOOLS)
    assert answer.message.content[0].text == SAID_WEATHER


@every
@pytest.mark.shows("structured")
def test_structured(client, model, recorder):
    form = {"type": "json_object", "schema": Person.model_json_schema()}
    answer = client.chat(model=model, messages=ask(PERSON), response_format=form)
    assert Person.model_validate_json(answer.message.content[0].text) == ADA
    assert_schema_arrived(recorder)


@every
@pytest.mark.shows("errors")
def test_errors(client, model):
    with pytest.raises(TooManyRequestsError, match="slow down"):
        client.chat(model=model, messages=ask(SLOW_DOWN))


@pytest.mark.parametrize("model, mode", [("cohere/embed-v4.0", "strict"), ("openai/text-embedding-3-small", "lenient")])
def test_embeddings(client, model, mode):
    """What texts are for, which Cohere demands to be told, OpenAI can't be told."""
    options = {"additional_headers": {"x-topdog-translation": mode}}
    asked = {"texts": ["embed me"], "input_type": "search_document", "embedding_types": ["float"]}
    assert client.embed(model=model, request_options=options, **asked).embeddings.float_ == [[0.25, -0.5, 0.75, 1.0]]
