"""What every client here is asked to do, and of whom: the same five things, of a provider that speaks as the client does
and of one that doesn't."""
import json

import pydantic
import pytest

GPT = "openai/gpt-4o-mini"
CLAUDE = "anthropic/claude-sonnet-5"
COMMAND = "cohere/command-a-03-2025"
GEMINI = "gemini/gemini-2.5-flash"

# The same test with both: one is relayed, the other translated.
both = pytest.mark.parametrize("model", [GPT, CLAUDE])

HELLO, SAID_HELLO = "say hello", "Hello from upstream, café 😀."
LENGTH, SAID_AT_LENGTH = "answer in pieces", "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
WEATHER, SAID_WEATHER = "weather in Paris", "It is 21 degrees in Paris."
PERSON = "a person as json"
SLOW_DOWN = "fail with 429"


class Person(pydantic.BaseModel):
    name: str
    age: int


ADA = Person(name="Ada", age=36)


def assert_schema_arrived(recorder):
    """The emulator answers the same with a schema and without, so the provider has to have been told it."""
    assert '"age"' in json.dumps(recorder.await_record(recorder.mark)["json"])


def get_weather(city: str, unit: str) -> str:
    """The weather of a city, now."""
    assert (city, unit) == ("Paris", "celsius")
    return "21 degrees"


WEATHER_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
                  "required": ["city", "unit"]}
