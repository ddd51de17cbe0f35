"""Google's own SDK, which names the model in the path."""
import pytest
from google import genai
from google.genai import errors, types

from asked import ADA, CLAUDE, GEMINI, GPT, HELLO, LENGTH, PERSON, SAID_AT_LENGTH, SAID_HELLO, SAID_WEATHER, SLOW_DOWN, WEATHER, Person, get_weather, assert_schema_arrived

pytestmark = [pytest.mark.gateway, pytest.mark.sdk("google-genai", "Gemini")]

every = pytest.mark.parametrize("model", [GEMINI, GPT, CLAUDE])


@pytest.fixture
def models(bed):
    place = types.HttpOptions(base_url=bed.base_url.removesuffix("/v1"))
    with genai.Client(api_key=bed.api_keys["makers"], http_options=place) as client:
        yield client.models


@every
@pytest.mark.shows("chat")
def test_chat(models, model):
    answer = models.generate_content(model=model, contents=HELLO, config={"system_instruction": "be kind", "max_output_tokens": 64})
    assert (answer.text, answer.candidates[0].finish_reason) == (SAID_HELLO, "STOP")
    assert (answer.usage_metadata.prompt_token_count, answer.usage_metadata.candidates_token_count) == (11, 7)


@every
@pytest.mark.shows("stream")
def test_stream(models, model):
    pieces = [piece.text or "" for piece in models.generate_content_stream(model=model, contents=LENGTH)]
    assert "".join(pieces) == SAID_AT_LENGTH and len(pieces) > 4


@pytest.mark.parametrize("model", [GEMINI])
@pytest.mark.shows("tools")
def test_tools(models, model):
    """The SDK itself calls the function, and sends its result."""
    assert models.generate_content(model=model, contents=WEATHER, config={"tools": [get_weather]}).text == SAID_WEATHER


@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.shows("tools", how="lenient")
def test_tools_of_others(models, model):
    """It also tells what a function gives, for which others have no words."""
    asked = {"model": model, "contents": WEATHER}
    with pytest.raises(errors.ClientError, match="response_json_schema"):
        models.generate_content(**asked, config={"tools": [get_weather]})
    lenient = {"headers": {"x-topdog-translation": "lenient"}}
    assert models.generate_content(**asked, config={"tools": [get_weather], "http_options": lenient}).text == SAID_WEATHER


@every
@pytest.mark.shows("structured")
def test_structured(models, model, recorder):
    form = {"response_mime_type": "application/json", "response_schema": Person}
    assert models.generate_content(model=model, contents=PERSON, config=form).parsed == ADA
    assert_schema_arrived(recorder)


@every
@pytest.mark.shows("errors")
def test_errors(models, model):
    with pytest.raises(errors.ClientError, match="slow down") as caught:
        models.generate_content(model=model, contents=SLOW_DOWN)
    # Its own provider's error passes as it is, and the emulator has no such word.
    assert caught.value.code == 429 and (caught.value.status == "RESOURCE_EXHAUSTED" or model == GEMINI)
