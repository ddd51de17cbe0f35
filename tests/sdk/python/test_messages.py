"""Anthropic's Messages by its official SDK, unmodified but for base URL and key."""
import json
import time

import anthropic
import httpx2
import pytest

from test_books import shipped

HELLO = [{"role": "user", "content": "say hello"}]
WEATHER = [{"name": "get_weather", "description": "now", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
PLAIN_MODEL = "claude-sonnet-5"
# The smallest PNG there is.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


pytestmark = pytest.mark.sdk("anthropic", "Messages")


@pytest.fixture
def client(bed):
    return bed.anthropic()


@pytest.fixture
def model(bed):
    return PLAIN_MODEL if bed.direct else f"anthropic/{PLAIN_MODEL}"


def ask(text):
    return [{"role": "user", "content": text}]


def sent_headers(record):
    return {name.lower(): value for name, value in record["headers"]}


# --- whole answers ------------------------------------------------------------------------------------------------

@pytest.mark.shows("chat", model="anthropic")
def test_a_message(client, recorder, model):
    answer = client.messages.create(model=model, max_tokens=64, system="be kind", messages=HELLO)
    assert [b.text for b in answer.content] == ["Hello from upstream, café 😀."]
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("end_turn", 11, 7)
    sent = recorder.await_record(recorder.mark)
    assert sent["path"] == "/v1/messages"
    assert sent["json"] == {"model": PLAIN_MODEL, "max_tokens": 64, "system": "be kind", "messages": HELLO}
    headers = sent_headers(sent)
    if not recorder.direct:
        # This SDK sends its own key as a bearer's; Anthropic's keys belong into `x-api-key`.
        assert headers["x-api-key"] == recorder.facts["anthropic_key"] and "authorization" not in headers
    assert headers["anthropic-version"] == client.default_headers["anthropic-version"], "the version is the caller's"


def test_a_plain_model_name(client, recorder):
    assert client.messages.create(model=PLAIN_MODEL, max_tokens=64, messages=HELLO).content
    assert recorder.await_record(recorder.mark)["json"]["model"] == PLAIN_MODEL


def test_beta_headers_pass(client, recorder, model):
    client.beta.messages.create(model=model, max_tokens=64, messages=HELLO, betas=["context-1m-2025-08-07", "x-2026-01-01"])
    sent = recorder.await_record(recorder.mark)
    assert sent_headers(sent)["anthropic-beta"] == "context-1m-2025-08-07,x-2026-01-01"


@pytest.mark.shows("tools", model="anthropic")
def test_a_tool_is_called_and_its_result_taken(client, model):
    asked = ask("weather in Paris")
    answer = client.messages.create(model=model, max_tokens=64, messages=asked, tools=WEATHER)
    call = next(b for b in answer.content if b.type == "tool_use")
    assert (answer.stop_reason, call.name, call.input["city"]) == ("tool_use", "get_weather", "Paris")
    told = [{"role": "assistant", "content": answer.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}]}]
    answer = client.messages.create(model=model, max_tokens=64, messages=asked + told, tools=WEATHER)
    assert answer.content[0].text == "It is 21 degrees in Paris."


def test_vision_input(client, recorder, model):
    content = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
               {"type": "text", "text": "what is in this picture"}]
    answer = client.messages.create(model=model, max_tokens=64, messages=ask(content))
    assert answer.content[0].text == "A small red square."
    assert recorder.await_record(recorder.mark)["json"]["messages"][0]["content"] == content


def test_thinking_comes_and_goes_back_byte_for_byte(client, recorder, model):
    more = {"model": model, "max_tokens": 2048, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    answer = client.messages.create(messages=ask("think it over"), **more)
    thought, said = answer.content
    assert (thought.type, said.text) == ("thinking", "The GCD is 21.") and thought.signature.endswith("ds+/=")
    again = ask("think it over") + [{"role": "assistant", "content": answer.content}] + HELLO
    mark = len(recorder.records())
    client.messages.create(messages=again, **more)
    back = recorder.await_record(mark)["json"]["messages"][1]["content"][0]
    assert (back["thinking"], back["signature"]) == (thought.thinking, thought.signature)


def test_counting_tokens(client, recorder, model):
    counted = client.messages.count_tokens(model=model, messages=ask("one two three"))
    assert counted.input_tokens == 3
    sent = recorder.await_record(recorder.mark)
    assert sent["path"] == "/v1/messages/count_tokens" and sent["json"]["model"] == PLAIN_MODEL


@pytest.mark.gateway
def test_models_are_listed_for_this_sdk(client):
    models = list(client.models.list())
    ids = [m.id for m in models]
    assert f"anthropic/{PLAIN_MODEL}" in ids and "openai/gpt-4o-mini" in ids
    assert all(m.type == "model" and m.created_at.tzinfo for m in models)
    assert client.models.retrieve(f"anthropic/{PLAIN_MODEL}").id == f"anthropic/{PLAIN_MODEL}"


@pytest.mark.gateway
def test_usage_is_kept_by_bucket_and_counting_costs_nothing(client, bed):
    count, create = client.messages.with_raw_response.count_tokens, client.messages.with_raw_response.create
    cached = create(model="anthropic/scripted-cached", max_tokens=9, messages=HELLO).headers["x-request-id"]
    counted = count(model=f"anthropic/{PLAIN_MODEL}", messages=HELLO).headers["x-request-id"]
    found = shipped(bed, ["usage", "--events"], {cached, counted})
    assert buckets(found[cached]) == (10, 1000, 50, 5), "fresh, read from a cache, written to one, out"
    assert buckets(found[counted]) == (0, 0, 0, 0) and found[counted]["operation"] == "count_tokens"
    assert [r["usage_source"] for r in found.values()] == ["provider", "provider"]


def buckets(record):
    return tuple(record[name] for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"))


# --- streams ------------------------------------------------------------------------------------------------------

@pytest.mark.shows("stream", model="anthropic")
def test_a_stream_comes_as_it_is_made(client, model):
    arrivals = []
    with client.messages.stream(model=model, max_tokens=64, messages=ask("answer at length")) as stream:
        for _ in stream.text_stream:
            arrivals.append(time.monotonic())
        answer = stream.get_final_message()
    assert answer.content[0].text.startswith("one two three") and answer.content[0].text.endswith("sixteen")
    assert (answer.stop_reason, answer.usage.output_tokens) == ("end_turn", 16)
    gaps = [b - a for a, b in zip(arrivals, arrivals[1:])]
    assert len([g for g in gaps if g > 0.03]) >= 8, gaps


def test_a_streamed_tool_call(client, model):
    pieces = []
    with client.messages.stream(model=model, max_tokens=64, messages=ask("weather in Paris"), tools=WEATHER) as stream:
        for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                pieces.append(event.delta.partial_json)
        call = stream.get_final_message().content[0]
    assert json.loads("".join(pieces)) == call.input and call.input["city"] == "Paris"


def test_streamed_thinking(client, model):
    with client.messages.stream(model=model, max_tokens=2048, messages=ask("think it over"),
                                thinking={"type": "enabled", "budget_tokens": 1024}) as stream:
        thought, said = stream.get_final_message().content
    assert thought.signature.endswith("ds+/=") and said.text == "The GCD is 21."


def raw_stream(bed, model, text):
    """The bytes of a stream as the wire has them."""
    got = b""
    body = {"model": model, "max_tokens": 64, "messages": ask(text), "stream": True}
    headers = {"x-api-key": bed.api_keys["acme"]}
    with httpx2.stream("POST", f"{bed.base_url}/messages", json=body, headers=headers, timeout=20) as answer:
        try:
            for piece in answer.iter_raw():
                got += piece
        except httpx2.RemoteProtocolError:
            pass
    return got


@pytest.mark.gateway
def test_a_client_without_a_version_is_given_one(bed, recorder, model):
    got = raw_stream(bed, model, "say hello")
    assert got.startswith(b"event: message_start\n") and b"\nevent: message_stop\n" in got and b"[DONE]" not in got
    assert sent_headers(recorder.await_record(recorder.mark))["anthropic-version"] == "2023-06-01"


@pytest.mark.gateway
def test_a_stream_that_breaks_off_is_told_as_a_failure(bed, client, model):
    got = raw_stream(bed, model, "break off")
    assert b"this sen" in got and b"message_stop" not in got
    assert b"event: error\ndata: " in got and b'"upstream_failed"' in got
    with pytest.raises(anthropic.APIStatusError) as caught:
        with client.messages.stream(model=model, max_tokens=64, messages=ask("break off")) as stream:
            stream.until_done()
    assert caught.value.body["error"]["type"] == "api_error"


@pytest.mark.gateway
def test_an_error_within_a_200_passes(client):
    with pytest.raises(anthropic.APIStatusError) as caught:
        with client.messages.stream(model="anthropic/scripted-529-in-stream", max_tokens=64, messages=HELLO) as stream:
            stream.until_done()
    assert caught.value.body["error"] == {"type": "overloaded_error", "message": "Overloaded"}


@pytest.mark.gateway
def test_the_client_going_away_cancels_upstream(client, recorder, model):
    stream = client.messages.create(model=model, max_tokens=64, messages=ask("answer for ever"), stream=True)
    for event in stream:
        if event.type == "content_block_delta":
            break
    left = time.time()
    stream.close()
    record = recorder.await_record(recorder.mark)
    assert record["outcome"] == "caller_left" and record["ended"] - left < 0.15


# --- refusals and errors ------------------------------------------------------------------------------------------

def refused(kind, client, model=f"anthropic/{PLAIN_MODEL}", text="say hello", source="gateway", **more):
    with pytest.raises(kind) as caught:
        client.messages.create(**({"model": model, "max_tokens": 64, "messages": ask(text)} | more))
    error = caught.value
    assert error.response.headers["x-topdog-error-source"] == source
    assert error.response.headers["x-request-id"]
    if source == "gateway":
        body = error.body
        assert body["type"] == "error" and body["error"]["message"] and body["error"]["code"] == error.error_code
        assert body["request_id"] == error.response.headers["x-request-id"] == error.request_id
    return error


@pytest.mark.gateway
@pytest.mark.parametrize("key", ["wrong", "td_live_" + "A" * 64, "sk-ant-api03-" + "x" * 40])
def test_wrong_keys(bed, recorder, key):
    error = refused(anthropic.AuthenticationError, bed.anthropic(api_key=key))
    assert (error.body["error"]["type"], error.body["error"]["code"]) == ("authentication_error", "invalid_api_key")
    assert recorder.records(recorder.mark) == []


@pytest.mark.gateway
@pytest.mark.parametrize("org, code", [("acme-manager", "scope_missing"), ("bare", "no_provider_key"), ("limits", "tier_limit")])
def test_what_a_key_may_not(bed, recorder, org, code):
    error = refused(anthropic.PermissionDeniedError, bed.anthropic(org=org))
    assert (error.body["error"]["type"], error.body["error"]["code"]) == ("permission_error", code)
    if org == "limits":
        assert error.body["error"]["lifted_by"] == "PRO" and error.body["error"]["limit"]
    assert recorder.records(recorder.mark) == []


@pytest.mark.gateway
def test_an_unknown_model(bed):
    error = refused(anthropic.NotFoundError, bed.anthropic(), "claude-sonnet-4-55")
    assert (error.body["error"]["type"], error.body["error"]["code"]) == ("not_found_error", "model_not_found")


@pytest.mark.gateway
def test_a_bad_body_and_a_bad_label(bed):
    error = refused(anthropic.BadRequestError, bed.anthropic(), extra_body={"model": ["not", "a", "name"]})
    assert error.body["error"]["type"] == "invalid_request_error" and error.body["error"]["param"] == "model"
    error = refused(anthropic.BadRequestError, bed.anthropic(), extra_headers={"x-plan": "Gold"})
    assert error.body["error"]["code"] == "invalid_label"


@pytest.mark.gateway
def test_a_body_that_is_too_large(bed):
    answer = httpx2.post(f"{bed.base_url}/messages", headers={"x-api-key": bed.api_keys["acme"], "content-type": "application/json"},
                         content=b"x" * 70_000_000, timeout=20)
    assert answer.status_code == 413 and answer.json()["error"]["type"] == "request_too_large"


@pytest.mark.gateway
@pytest.mark.shows("errors", model="anthropic")
def test_the_providers_errors_pass_as_they_are(bed):
    client = bed.anthropic()
    error = refused(anthropic.RateLimitError, client, text="fail with 429", source="upstream")
    assert error.body["error"]["message"] == "slow down" and error.response.headers["retry-after"] == "7"
    error = refused(anthropic.BadRequestError, client, text="fail with 400", source="upstream")
    assert error.body["error"] == {"type": "invalid_request_error", "message": "context length exceeded"}
    assert refused(anthropic.InternalServerError, client, text="fail with 500", source="upstream").status_code == 500
    error = refused(anthropic.APIStatusError, client, "anthropic/scripted-529", source="upstream")
    assert error.status_code == 529 and error.body["error"]["type"] == "overloaded_error"
    assert error.body["request_id"] == "req_ant_1"


@pytest.mark.gateway
def test_a_provider_that_refuses_the_customers_key(bed):
    refused(anthropic.AuthenticationError, bed.anthropic(org="globex"), source="upstream")


@pytest.mark.gateway
def test_a_provider_that_is_not_there(bed):
    base_url = bed.facts["dead_base_url"].removesuffix("/v1")
    error = refused(anthropic.InternalServerError, bed.anthropic(base_url=base_url, api_key=bed.facts["dead_api_key"]))
    assert (error.status_code, error.body["error"]["type"]) == (502, "api_error")


@pytest.mark.gateway
def test_two_keys_that_differ_are_refused(bed, recorder):
    client = bed.anthropic(default_headers={"x-api-key": bed.api_keys["globex"]})
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(model=f"anthropic/{PLAIN_MODEL}", max_tokens=9, messages=HELLO)
    assert caught.value.status_code == 401 and caught.value.body["error"]["code"] == "invalid_api_key"
    assert recorder.records(recorder.mark) == []
