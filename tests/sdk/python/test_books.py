"""What was kept of each request: usage, debug log, audit; shipped a moment after the answer."""
import json
import time

import openai
import pytest

HELLO = [{"role": "user", "content": "say hello"}]
# Records wait in the spool for their batch; nothing that a caller waits for.
SHIPPED_WITHIN_S = 15

pytestmark = pytest.mark.gateway


def ask(client, model, text="say hello", **more):
    """The id that the caller saw."""
    messages = [{"role": "user", "content": text}]
    answer = client.chat.completions.with_raw_response.create(model=model, messages=messages, **more)
    stream = answer.parse()
    if more.get("stream"):
        for _ in stream:
            pass
    return answer.headers["x-request-id"]


def shipped(bed, command, wanted):
    """The records of these requests, once all are there."""
    deadline = time.monotonic() + SHIPPED_WITHIN_S
    while True:
        records = bed.cli(*command, "--org", "acme", "--limit", "200", "--output", "json")
        found = {r["request"]: r for r in records if r["request"] in wanted}
        if len(found) == len(wanted):
            assert len([r for r in records if r["request"] in wanted]) == len(wanted), "one was kept twice"
            return found
        assert time.monotonic() < deadline, f"{len(wanted) - len(found)} of {len(wanted)} records are missing"
        time.sleep(0.2)


def test_tokens_cost_and_source(bed, client):
    priced, streamed = ask(client, "gpt-4o-mini"), ask(client, "gpt-4o-mini", stream=True)
    unpriced = ask(client, "openai/gpt-9-tomorrow")
    found = shipped(bed, ["usage", "--events"], {priced, streamed, unpriced})
    for record in found.values():
        assert (record["input_tokens"], record["output_tokens"]) == (11, 7)
        assert record["usage_source"] == "provider" and record["outcome"] == "completed"
        assert record["is_counted"] and record["status"] == 200
        assert (record["plan"], record["data_segment"]) == ("Pro", "general")
    # $0.15 and $0.60 a million tokens.
    assert found[priced]["cost_nanodollars"] == found[streamed]["cost_nanodollars"] == 11 * 150 + 7 * 600
    assert found[unpriced]["cost_nanodollars"] is None, "an unknown price is not 0"
    assert found[streamed]["is_stream"] and not found[priced]["is_stream"]


def test_a_stream_that_the_caller_left_is_estimated(bed, client):
    answer = client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "answer for ever"}], stream=True)
    left = answer.headers["x-request-id"]
    stream = answer.parse()
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            break
    stream.close()
    record = shipped(bed, ["usage", "--events"], {left})[left]
    assert record["outcome"] == "client_gone" and record["usage_source"] == "estimated"
    assert record["output_tokens"] > 0


def test_what_no_provider_accepted_is_given_back(bed, client):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, "openai/scripted-reset")
    failed = caught.value.response.headers["x-request-id"]
    record = shipped(bed, ["debug-logs"], {failed})[failed]
    assert not record["is_counted"] and record["status"] == 502
    assert record["usage_source"] == "none" and record["output_tokens"] == 0


def test_debug_logs_hold_no_bodies(bed, client):
    """Bodies are kept only where the organisation opted in."""
    marker = "an unusual sentence about walruses"
    seen = ask(client, "gpt-4o-mini", f"say hello, {marker}")
    record = shipped(bed, ["debug-logs"], {seen})[seen]
    assert marker not in json.dumps(record) and record["total_us"] >= record["overhead_us"] > 0


def test_each_use_of_the_provider_key_is_audited(bed, client):
    used = ask(client, "gpt-4o-mini")
    shipped(bed, ["usage", "--events"], {used})
    text = json.dumps(bed.cli("audit", "list", "--org", "acme", "--output", "json"))
    assert used in text, "the audit does not know the request that used the key"
    assert "provider_key.use" in text
    bed.cli("audit", "verify", "--org", "acme")


def test_quota_tells_what_was_used(bed):
    client = bed.client(org="limits")
    before = quota(bed, "limits", "llm_requests_per_day")
    client.embeddings.create(model="openai/text-embedding-3-small", input="embed me", encoding_format="float")
    after = quota(bed, "limits", "llm_requests_per_day")
    assert (after["used"], after["allowed"]) == (before["used"] + 1, 2)


def quota(bed, org, limit):
    lines = bed.cli("quota", "--org", org, "--output", "json")["data"]
    return next(line for line in lines if line["limit"] == limit)
