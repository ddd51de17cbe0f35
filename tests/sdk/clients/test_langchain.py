"""LangChain, by its packages for both APIs."""
import anthropic
import openai
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from asked import ADA, CLAUDE, GPT, HELLO, LENGTH, PERSON, SAID_AT_LENGTH, SAID_HELLO, SAID_WEATHER, SLOW_DOWN, WEATHER, Person, get_weather, assert_schema_arrived

OF_OPENAI = pytest.mark.sdk("langchain-openai", "chat completions")
OF_ANTHROPIC = pytest.mark.sdk("langchain-anthropic", "Messages")

pytestmark = pytest.mark.gateway


@pytest.fixture
def chat(bed, package, model):
    shared = {"model": model, "api_key": bed.api_keys["acme"], "max_retries": 0, "max_tokens": 64}
    if package == "openai":
        return ChatOpenAI(base_url=bed.base_url, stream_usage=True, **shared)
    return ChatAnthropic(base_url=bed.base_url.removesuffix("/v1"), **shared)


every = pytest.mark.parametrize("package, model", [
    pytest.param("openai", GPT, marks=OF_OPENAI), pytest.param("openai", CLAUDE, marks=OF_OPENAI),
    pytest.param("anthropic", GPT, marks=OF_ANTHROPIC), pytest.param("anthropic", CLAUDE, marks=OF_ANTHROPIC)])


@every
@pytest.mark.shows("chat")
def test_chat(chat):
    answer = chat.invoke([("system", "be kind"), ("user", HELLO)])
    assert answer.text == SAID_HELLO
    assert (answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]) == (11, 7)


@every
@pytest.mark.shows("stream")
def test_stream(chat):
    pieces = list(chat.stream(LENGTH))
    assert "".join(piece.text for piece in pieces) == SAID_AT_LENGTH
    assert sum(piece.usage_metadata["output_tokens"] for piece in pieces if piece.usage_metadata) == 16


@every
@pytest.mark.shows("tools")
def test_tools(chat):
    bound = chat.bind_tools([tool(get_weather)])
    messages = [("user", WEATHER)]
    asked = bound.invoke(messages)
    result = tool(get_weather).invoke(asked.tool_calls[0])
    assert bound.invoke([*messages, asked, result]).text == SAID_WEATHER


@every
@pytest.mark.shows("structured")
def test_structured(chat, recorder):
    assert chat.with_structured_output(Person, method="json_schema").invoke(PERSON) == ADA
    assert_schema_arrived(recorder)


@every
@pytest.mark.shows("errors")
def test_errors(chat, package):
    with pytest.raises({"openai": openai, "anthropic": anthropic}[package].RateLimitError, match="slow down"):
        chat.invoke(SLOW_DOWN)
