"""Streams: as they come, whole, and honest about how they ended."""
import time

import httpx2
import openai
import pytest

HELLO = [{"role": "user", "content": "say hello"}]


pytestmark = pytest.mark.sdk("openai", "chat completions")


@pytest.fixture
def model(bed):
    return "gpt-4o-mini" if bed.direct else "openai/gpt-4o-mini"


def ask(text):
    return [{"role": "user", "content": text}]


def text_of(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


@pytest.mark.shows("stream", model="openai")
def test_chunks_arrive_as_the_provider_makes_them(client, model):
    arrivals, chunks = [], []
    for chunk in client.chat.completions.create(model=model, messages=ask("answer at length"), stream=True):
        arrivals.append(time.monotonic())
        chunks.append(chunk)
    assert text_of(chunks).startswith("one two three") and text_of(chunks).endswith("sixteen")
    # The emulator waits 60 ms between chunks: a gateway that gathers them first would show no gaps.
    gaps = [b - a for a, b in zip(arrivals, arrivals[1:])]
    assert len([g for g in gaps if g > 0.03]) >= 8, gaps


def test_no_usage_chunk_unless_asked_for(client, recorder, model):
    chunks = list(client.chat.completions.create(model=model, messages=HELLO, stream=True))
    assert text_of(chunks) == "Hello from upstream, café 😀."
    assert all(c.usage is None for c in chunks), "the usage that the gateway asks for is its own"
    assert all(c.choices for c in chunks)
    if not recorder.direct:
        sent = recorder.await_record(recorder.mark)["json"]
        assert sent["stream_options"] == {"include_usage": True}, "the gateway needs the usage for its own books"


def test_the_usage_chunk_when_asked_for(client, model):
    options = {"include_usage": True}
    *others, last = client.chat.completions.create(model=model, messages=HELLO, stream=True, stream_options=options)
    assert last.choices == [] and last.usage.total_tokens == 18
    assert all(c.usage is None for c in others)


def test_streamed_tool_call(client, model):
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    with client.chat.completions.stream(model=model, messages=ask("weather in Paris"), tools=tools) as stream:
        stream.until_done()
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather" and '"Paris"' in call.function.arguments


@pytest.mark.sdk("openai", "Responses")
@pytest.mark.shows("stream", model="openai")
def test_responses_stream(client, model):
    kinds, text = [], ""
    for event in client.responses.create(model=model, input="say hello", stream=True):
        kinds.append(event.type)
        if event.type == "response.output_text.delta":
            text += event.delta
    assert text == "Hello from upstream, café 😀."
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"


def test_crlf_comments_and_split_characters(client, bed):
    model = "scripted-odd-sse" if bed.direct else "openai/scripted-odd-sse"
    chunks = list(client.chat.completions.create(model=model, messages=HELLO, stream=True))
    assert text_of(chunks) == "café 😀 done"
    assert all(c.usage is None for c in chunks)


def raw_stream(bed, body):
    """The bytes of a stream as the wire has them, and whether the connection ended as its framing promised."""
    got, clean = b"", True
    headers = {"authorization": f"Bearer {bed.api_keys['acme']}"}
    with httpx2.stream("POST", f"{bed.base_url}/chat/completions", json=body, headers=headers, timeout=20) as answer:
        try:
            for piece in answer.iter_raw():
                got += piece
        except httpx2.RemoteProtocolError:
            clean = False
    return got, clean


@pytest.mark.gateway
def test_an_upstream_that_breaks_off_is_told_as_a_failure(bed, model):
    got, _ = raw_stream(bed, {"model": model, "messages": ask("break off"), "stream": True})
    assert b"this sen" in got
    assert b"[DONE]" not in got, "a broken stream must not look like a whole one"
    assert b'"error"' in got

    with pytest.raises(openai.APIError):
        list(bed.client().chat.completions.create(model=model, messages=ask("break off"), stream=True))


@pytest.mark.gateway
def test_a_whole_stream_ends_in_done(bed, model):
    got, clean = raw_stream(bed, {"model": model, "messages": HELLO, "stream": True})
    assert clean and got.rstrip().endswith(b"data: [DONE]")


@pytest.mark.gateway
def test_the_client_going_away_cancels_a_stream_upstream(client, recorder, model):
    stream = client.chat.completions.create(model=model, messages=ask("answer for ever"), stream=True)
    next(iter(stream))
    left = time.time()
    stream.close()
    record = recorder.await_record(recorder.mark)
    assert record["outcome"] == "caller_left"
    assert record["ended"] - left < 0.1 + 0.05, "cancelled within 100 ms; the recorder looks every few"


@pytest.mark.gateway
def test_the_client_going_away_cancels_a_plain_request_upstream(bed, recorder):
    client = bed.client(timeout=0.7)
    began = time.time()
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="openai/scripted-hang", messages=HELLO)
    left = time.time()
    record = recorder.await_record(recorder.mark)
    assert record["outcome"] == "caller_left" and record["started"] - began < 0.5
    assert record["ended"] - left < 0.1 + 0.05
