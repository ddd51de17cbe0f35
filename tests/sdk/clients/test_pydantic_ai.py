"""pydantic-ai, with its models for chat completions, Responses and Messages."""
import asyncio

import pytest
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from asked import ADA, CLAUDE, GPT, HELLO, LENGTH, PERSON, SAID_AT_LENGTH, SAID_HELLO, SAID_WEATHER, SLOW_DOWN, WEATHER, Person, get_weather, assert_schema_arrived

pytestmark = pytest.mark.gateway

KINDS = {"chat completions": OpenAIChatModel, "Responses": OpenAIResponsesModel, "Messages": AnthropicModel}


def of(kind, *models):
    return [pytest.param(kind, model, marks=pytest.mark.sdk("pydantic-ai-slim", kind)) for model in models]


every = pytest.mark.parametrize("kind, model", of("chat completions", GPT, CLAUDE) + of("Responses", GPT, CLAUDE) + of("Messages", GPT, CLAUDE))


@pytest.fixture
def spoken_to(bed, kind, model):
    key = bed.api_keys["acme"]
    if kind == "Messages":
        provider = AnthropicProvider(api_key=key, base_url=bed.base_url.removesuffix("/v1"))
    else:
        provider = OpenAIProvider(api_key=key, base_url=bed.base_url)
    return KINDS[kind](model, provider=provider)


@every
@pytest.mark.shows("chat")
def test_chat(spoken_to):
    done = Agent(spoken_to, instructions="be kind").run_sync(HELLO)
    assert done.output == SAID_HELLO
    assert (done.usage.input_tokens, done.usage.output_tokens) == (11, 7)


@every
@pytest.mark.shows("stream")
def test_stream(spoken_to):
    async def gather():
        async with Agent(spoken_to).run_stream(LENGTH) as running:
            return [piece async for piece in running.stream_text(delta=True, debounce_by=None)]
    pieces = asyncio.run(gather())
    assert "".join(pieces) == SAID_AT_LENGTH and len(pieces) > 4


@every
@pytest.mark.shows("tools")
def test_tools(spoken_to):
    assert Agent(spoken_to, tools=[get_weather]).run_sync(WEATHER).output == SAID_WEATHER


@pytest.mark.parametrize("kind, model", of("chat completions", GPT, CLAUDE) + of("Responses", GPT, CLAUDE))
@pytest.mark.shows("structured")
def test_structured(spoken_to, recorder):
    assert Agent(spoken_to, output_type=NativeOutput(Person)).run_sync(PERSON).output == ADA
    assert_schema_arrived(recorder)


@every
@pytest.mark.shows("errors")
def test_errors(spoken_to):
    with pytest.raises(ModelHTTPError) as caught:
        Agent(spoken_to).run_sync(SLOW_DOWN)
    assert caught.value.status_code == 429 and "slow down" in str(caught.value.body)
