"""OpenAI's Agents SDK, over Responses as it is by default, and over chat completions."""
import asyncio

import agents
import openai
import pytest

from asked import ADA, CLAUDE, GPT, HELLO, LENGTH, PERSON, SAID_AT_LENGTH, SAID_HELLO, SAID_WEATHER, SLOW_DOWN, WEATHER, Person, get_weather, assert_schema_arrived

pytestmark = pytest.mark.gateway

KINDS = {"Responses": agents.OpenAIResponsesModel, "chat completions": agents.OpenAIChatCompletionsModel}


def of(kind, *models):
    return [pytest.param(kind, model, marks=pytest.mark.sdk("openai-agents", kind)) for model in models]


every = pytest.mark.parametrize("kind, model", of("Responses", GPT, CLAUDE) + of("chat completions", GPT, CLAUDE))


@pytest.fixture
def spoken_to(bed, kind, model):
    # Its traces would go to OpenAI itself, with a key that isn't one.
    agents.set_tracing_disabled(True)
    client = openai.AsyncOpenAI(api_key=bed.api_keys["acme"], base_url=bed.base_url, max_retries=0)
    return KINDS[kind](model=model, openai_client=client)


@every
@pytest.mark.shows("chat")
def test_chat(spoken_to):
    done = agents.Runner.run_sync(agents.Agent(name="greeter", instructions="be kind", model=spoken_to), HELLO)
    assert done.final_output == SAID_HELLO


@every
@pytest.mark.shows("stream")
def test_stream(spoken_to):
    async def gather():
        running = agents.Runner.run_streamed(agents.Agent(name="teller", model=spoken_to), LENGTH)
        deltas = [e.data.delta async for e in running.stream_events()
                  if e.type == "raw_response_event" and e.data.type == "response.output_text.delta"]
        return deltas, running.final_output
    deltas, told = asyncio.run(gather())
    assert "".join(deltas) == told == SAID_AT_LENGTH and len(deltas) > 4


@every
@pytest.mark.shows("tools")
def test_tools(spoken_to):
    agent = agents.Agent(name="forecaster", model=spoken_to, tools=[agents.function_tool(get_weather)])
    assert agents.Runner.run_sync(agent, WEATHER).final_output == SAID_WEATHER


@every
@pytest.mark.shows("structured")
def test_structured(spoken_to, recorder):
    agent = agents.Agent(name="writer", model=spoken_to, output_type=Person)
    assert agents.Runner.run_sync(agent, PERSON).final_output == ADA
    assert_schema_arrived(recorder)


@every
@pytest.mark.shows("errors")
def test_errors(spoken_to):
    with pytest.raises(openai.RateLimitError, match="slow down"):
        agents.Runner.run_sync(agents.Agent(name="hasty", model=spoken_to), SLOW_DOWN)
