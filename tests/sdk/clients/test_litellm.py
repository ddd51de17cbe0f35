"""LiteLLM as a client: of an OpenAI-compatible place, and of Anthropic's API."""
import json
import os

# Its list of prices is asked for at import, from GitHub, unless this says otherwise.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import pytest

from asked import ADA, CLAUDE, GPT, HELLO, LENGTH, PERSON, SAID_AT_LENGTH, SAID_HELLO, SAID_WEATHER, SLOW_DOWN, WEATHER, WEATHER_SCHEMA, Person, assert_schema_arrived

pytestmark = pytest.mark.gateway

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}]


def of(kind, *models):
    return [pytest.param(kind, model, marks=pytest.mark.sdk("litellm", kind)) for model in models]


every = pytest.mark.parametrize("kind, model", of("chat completions", GPT, CLAUDE) + of("Messages", GPT, CLAUDE))


@pytest.fixture
def ask(bed, kind, model):
    """A call whose first part of the model's name is LiteLLM's: how to speak."""
    place = {"model": f"openai/{model}", "api_base": bed.base_url}
    if kind == "Messages":
        place = {"model": f"anthropic/{model}", "api_base": bed.base_url.removesuffix("/v1")}

    def ask(messages, **more):
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        return litellm.completion(messages=messages, api_key=bed.api_keys["acme"], num_retries=0, max_retries=0, **place, **more)
    return ask


@every
@pytest.mark.shows("chat")
def test_chat(ask):
    answer = ask(HELLO)
    assert answer.choices[0].message.content == SAID_HELLO
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 7)


@every
@pytest.mark.shows("stream")
def test_stream(ask):
    chunks = list(ask(LENGTH, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == SAID_AT_LENGTH


@every
@pytest.mark.shows("tools")
def test_tools(ask):
    asked = [{"role": "user", "content": WEATHER}]
    message = ask(asked, tools=TOOLS).choices[0].message
    call = message.tool_calls[0]
    assert json.loads(call.function.arguments)["city"] == "Paris"
    told = {"role": "tool", "tool_call_id": call.id, "name": "get_weather", "content": "21 degrees"}
    assert ask([*asked, message.model_dump(), told], tools=TOOLS).choices[0].message.content == SAID_WEATHER


@pytest.mark.parametrize("kind, model", of("chat completions", GPT, CLAUDE))
@pytest.mark.shows("structured")
def test_structured(ask, recorder):
    assert Person.model_validate_json(ask(PERSON, response_format=Person).choices[0].message.content) == ADA
    assert_schema_arrived(recorder)


@every
@pytest.mark.shows("errors")
def test_errors(ask):
    with pytest.raises(litellm.RateLimitError, match="slow down"):
        ask(SLOW_DOWN)
