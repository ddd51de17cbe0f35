"""Each endpoint of the OpenAI dialect, called by the official SDK, answered by the emulator through the gateway."""
import json

import pytest
from pydantic import BaseModel

MODEL = "openai/gpt-4o-mini"
PLAIN_MODEL = "gpt-4o-mini"
HELLO = [{"role": "user", "content": "say hello"}]

pytestmark = pytest.mark.sdk("openai", "chat completions")


@pytest.fixture
def model(bed):
    return PLAIN_MODEL if bed.direct else MODEL


@pytest.mark.shows("chat", model="openai")
def test_chat(client, recorder, model):
    answer = client.chat.completions.create(model=model, messages=HELLO, temperature=0.5, seed=7)
    assert answer.choices[0].message.content == "Hello from upstream, café 😀."
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 7)

    sent = recorder.await_record(recorder.mark)
    assert sent["json"] == {"model": PLAIN_MODEL, "messages": HELLO, "temperature": 0.5, "seed": 7}
    assert ["Bearer " + recorder.provider_key] == [v for k, v in sent["headers"] if k.lower() == "authorization"]


def test_a_plain_model_name_is_resolved_by_the_catalogue(client):
    answer = client.chat.completions.create(model=PLAIN_MODEL, messages=HELLO)
    assert answer.choices[0].message.content.startswith("Hello")


@pytest.mark.gateway
def test_a_prefixed_model_that_the_catalogue_does_not_know_is_passed_on(client, recorder):
    client.chat.completions.create(model="openai/gpt-9-tomorrow", messages=HELLO)
    assert recorder.await_record(recorder.mark)["json"]["model"] == "gpt-9-tomorrow"


def test_fields_that_the_gateway_does_not_know_reach_the_provider(client, recorder, model):
    extra = {"x_future": {"deep": [1, 2.50, "é", None]}, "service_tier": "flex"}
    client.chat.completions.create(model=model, messages=HELLO, extra_body=extra)
    sent = recorder.await_record(recorder.mark)["json"]
    assert sent["x_future"] == extra["x_future"] and sent["service_tier"] == "flex"


@pytest.mark.shows("tools", model="openai")
def test_tools_over_two_turns(client, model):
    tools = [{"type": "function", "function": {
        "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
    messages = [{"role": "user", "content": "what is the weather in Paris"}]
    asked = client.chat.completions.create(model=model, messages=messages, tools=tools)
    assert asked.choices[0].finish_reason == "tool_calls"
    call = asked.choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)["city"]) == ("get_weather", "Paris")

    messages += [asked.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "21"}]
    told = client.chat.completions.create(model=model, messages=messages, tools=tools)
    assert told.choices[0].message.content == "It is 21 degrees in Paris."


class Person(BaseModel):
    name: str
    age: int


@pytest.mark.shows("structured", model="openai")
def test_json_schema(client, recorder, model):
    messages = [{"role": "user", "content": "a person as json"}]
    answer = client.chat.completions.parse(model=model, messages=messages, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
    schema = recorder.await_record(recorder.mark)["json"]["response_format"]
    assert schema["type"] == "json_schema" and schema["json_schema"]["schema"]["required"] == ["name", "age"]


def test_vision_input(client, recorder, model):
    picture = "data:image/png;base64," + "iVBORw0KGgo" * 2000
    messages = [{"role": "user", "content": [
        {"type": "text", "text": "what is in this picture"},
        {"type": "image_url", "image_url": {"url": picture, "detail": "low"}}]}]
    answer = client.chat.completions.create(model=model, messages=messages)
    assert answer.choices[0].message.content == "A small red square."
    assert recorder.await_record(recorder.mark)["json"]["messages"] == messages


def test_embeddings(client, bed):
    model = "text-embedding-3-small" if bed.direct else "openai/text-embedding-3-small"
    answer = client.embeddings.create(model=model, input="embed me", encoding_format="float")
    assert answer.data[0].embedding == [0.25, -0.5, 0.75, 1.0]


@pytest.mark.sdk("openai", "Responses")
@pytest.mark.shows("chat", model="openai")
def test_responses(client, recorder, model):
    answer = client.responses.create(model=model, input="say hello", store=False)
    assert answer.output_text == "Hello from upstream, café 😀."
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    assert recorder.await_record(recorder.mark)["json"]["model"] == PLAIN_MODEL


def test_legacy_completions(client, bed):
    model = "gpt-3.5-turbo-instruct" if bed.direct else "openai/gpt-3.5-turbo-instruct"
    assert client.completions.create(model=model, prompt="tell").choices[0].text == "once upon a time"
    parts = client.completions.create(model=model, prompt="tell", stream=True)
    assert "".join(p.choices[0].text for p in parts) == "once upon a time"


def test_models(client, bed):
    ids = [m.id for m in client.models.list()]
    assert ids and len(ids) == len(set(ids))
    if not bed.direct:
        assert any("gpt-4o-mini" in i for i in ids)
        assert not [i for i in ids if i.startswith("mistral")], "no key for that provider"


def test_moderations(client, bed):
    model = "omni-moderation-latest" if bed.direct else "openai/omni-moderation-latest"
    answer = client.moderations.create(model=model, input="a kind word")
    assert answer.results[0].flagged is False


def test_images(client, bed):
    model = "gpt-image-1" if bed.direct else "openai/gpt-image-1"
    answer = client.images.generate(model=model, prompt="a red square", size="1024x1024")
    assert answer.data[0].b64_json == "iVBORw0KGgo="


def test_speech_is_bytes(client, bed):
    model = "tts-1" if bed.direct else "openai/tts-1"
    audio = client.audio.speech.create(model=model, voice="alloy", input="read this aloud")
    assert audio.content.startswith(b"ID3")
    assert audio.response.headers["content-type"] == "audio/mpeg"


def test_transcription_is_multipart(client, recorder):
    model = "whisper-1" if recorder.direct else "openai/whisper-1"
    sound = b"RIFF" + bytes(range(256)) * 4096  # 1 MiB, every byte value
    answer = client.audio.transcriptions.create(model=model, file=("speech.wav", sound, "audio/wav"))
    assert answer.text == "the words that were spoken"
    sent = recorder.await_record(recorder.mark)
    kind = dict((k.lower(), v) for k, v in sent["headers"])["content-type"]
    assert kind.startswith("multipart/form-data; boundary=") and sent["body_bytes"] > len(sound)


@pytest.mark.gateway
def test_the_caller_is_told_who_answered(client, model):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO)
    assert raw.headers["x-request-id"]
    assert raw.headers["x-topdog-provider"] == "openai"
    assert PLAIN_MODEL in raw.headers["x-topdog-model"]
