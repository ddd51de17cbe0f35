"""Every error class of the SDK, each from the failure that it stands for."""
import http.client
import json
import socket
import time

import openai
import pytest

MODEL = "openai/gpt-4o-mini"
HELLO = [{"role": "user", "content": "say hello"}]

pytestmark = [pytest.mark.gateway, pytest.mark.sdk("openai", "chat completions")]


def chat(client, model=MODEL, text="say hello", **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


def refused(kind, client, model=MODEL, **more):
    with pytest.raises(kind) as caught:
        chat(client, model, **more)
    error = caught.value
    assert error.response.headers["x-request-id"]
    return error


def from_gateway(error):
    assert error.response.headers["x-topdog-error-source"] == "gateway"
    return error


def from_upstream(error):
    assert error.response.headers["x-topdog-error-source"] == "upstream"
    return error


# --- who is calling -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("key", [
    "wrong", "td_live_" + "A" * 64, "td_live_", "sk-proj-" + "x" * 40, "td_live_../../../etc/passwd", "td_live_%00"])
def test_wrong_keys(bed, recorder, key):
    error = from_gateway(refused(openai.AuthenticationError, bed.client(api_key=key)))
    assert error.code == "invalid_api_key"
    assert key not in error.response.text.replace("td_live_…", "") or key == "td_live_"
    assert recorder.records(recorder.mark) == [], "a caller without a key reached the provider"


def test_a_key_with_one_letter_changed(bed):
    key = bed.api_keys["acme"]
    changed = key[:-5] + ("A" if key[-5] != "A" else "B") + key[-4:]
    assert refused(openai.AuthenticationError, bed.client(api_key=changed)).code == "invalid_api_key"


def test_no_key(bed):
    status, body = raw(bed, "POST", "/v1/chat/completions", json.dumps({"model": MODEL, "messages": HELLO}), key=None)
    assert status == 401 and body["error"]["code"] == "missing_api_key"


def test_a_revoked_key_stops_at_once(bed):
    made = bed.create_key("to-revoke", "--scope", "llm")
    client = bed.client(api_key=made["secret"])
    assert chat(client).choices
    bed.cli("api-keys", "revoke", "--org", "acme", made["key"]["id"])
    assert refused(openai.AuthenticationError, client).code == "invalid_api_key"


def test_an_expired_key(bed):
    made = bed.create_key("short-lived", "--scope", "llm", "--expires-in", "1s")
    client = bed.client(api_key=made["secret"])
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            chat(client)
        except openai.AuthenticationError as error:
            assert error.code == "expired_api_key"
            return
        time.sleep(0.1)
    raise AssertionError("the key outlived its end by four seconds")


# --- what it may do -----------------------------------------------------------------------------------------------

def test_a_scope_that_the_key_lacks(bed):
    error = from_gateway(refused(openai.PermissionDeniedError, bed.client(org="acme-manager")))
    assert error.code == "scope_missing" and "llm" in error.message


def test_a_provider_outside_the_tier(bed):
    error = from_gateway(refused(openai.PermissionDeniedError, bed.client(org="limits"), "anthropic/claude-sonnet-4-5"))
    assert error.code == "tier_limit"
    assert error.body["limit"] == "provider:anthropic" and error.body["lifted_by"] == "PRO"


def test_an_endpoint_outside_frees_basic_openai(bed):
    with pytest.raises(openai.PermissionDeniedError) as caught:
        bed.client(org="limits").images.generate(model="openai/gpt-image-1", prompt="a red square")
    assert from_gateway(caught.value).code == "tier_limit"


def test_an_organisation_without_a_provider_key(bed, recorder):
    error = from_gateway(refused(openai.PermissionDeniedError, bed.client(org="bare")))
    assert error.code == "no_provider_key"
    assert recorder.records(recorder.mark) == []


def test_an_unknown_model_names_the_nearest(bed):
    error = from_gateway(refused(openai.NotFoundError, bed.client(), "gpt-4o-minny"))
    assert error.code == "model_not_found" and error.param == "model"
    assert "gpt-4o-mini" in error.message


def test_free_has_two_llm_requests_a_day(bed):
    client = bed.client(org="free")
    assert [bool(chat(client).choices) for _ in range(2)] == [True, True]
    error = from_gateway(refused(openai.RateLimitError, client))
    assert error.code == "tier_limit"
    told = error.body
    assert (told["limit"], told["allowed"], told["used"], told["lifted_by"]) == ("llm_requests_per_day", 2, 2, "PRO")
    assert told["resets_at"] and int(error.response.headers["retry-after"]) in range(0, 86401)
    # What a tier refuses counts nothing: the API calls are the two that were let through.
    assert refused(openai.RateLimitError, client).body["used"] == 2


# --- what was sent ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("body", [
    '{"model": "openai/gpt-4o-mini", "messages": [',
    '{"model": 7, "messages": []}',
    '{"model": null}',
    '{"messages": []}',
    '[1, 2]',
    '"text"',
    '',
    '{"model": "openai/gpt-4o-mini", "model": "openai/gpt-4o", "messages": []}',
    '{"model": "openai/gpt-4o-mini", "messages": [], "stream": "yes"}',
    '{"model": "openai/gpt-4o-mini\\r\\nx-injected: 1", "messages": []}',
    '{"model": "openai/gpt-4o-mini", "messages": []} trailing',
    '{"model": "openai/gpt\xff", "messages": []}',
])
def test_bad_bodies(bed, recorder, body):
    status, answer = raw(bed, "POST", "/v1/chat/completions", body.encode("latin-1"))
    assert status in (400, 404, 422), answer
    assert answer["error"]["message"] and answer["error"]["code"]
    assert recorder.records(recorder.mark) == [], "what can't be understood must not be sent on"


def test_a_model_name_never_becomes_a_path(bed, recorder):
    """A prefixed name that the catalogue does not know goes on, but in the body only."""
    chat(bed.client(), "openai/../../admin")
    sent = recorder.await_record(recorder.mark)
    assert sent["path"] == "/v1/chat/completions" and sent["json"]["model"] == "../../admin"


def test_bad_request_in_the_sdk(bed):
    error = from_gateway(refused(openai.BadRequestError, bed.client(), ["not", "a", "name"]))
    assert error.type == "invalid_request_error"


@pytest.mark.parametrize("headers", [{"x-plan": "Gold"}, {"x-data-segment": "secret"}])
def test_labels_outside_their_lists(bed, headers):
    error = from_gateway(refused(openai.BadRequestError, bed.client(), extra_headers=headers))
    assert error.code == "invalid_label"


def test_a_body_that_is_too_large(bed):
    """100 MB, announced or sent: refused without being read to its end."""
    host, port = bed.facts["gateway"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as s:
        s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bed.api_keys['acme']}\r\n"
                  f"content-type: application/json\r\ncontent-length: 100000000\r\n\r\n".encode())
        answer = http.client.HTTPResponse(s)
        answer.begin()
        assert answer.status == 413 and json.loads(answer.read())["error"]["code"] == "body_too_large"

    with pytest.raises((openai.APIStatusError, openai.APIConnectionError)) as caught:
        chat(bed.client(), text="x" * 100_000_000)
    if isinstance(caught.value, openai.APIStatusError):
        assert caught.value.status_code == 413


def test_oversized_head(bed):
    error = refused_status(bed, {"x-large": "a" * 300_000})
    assert error in (400, 413, 431)


def test_an_unknown_path(bed):
    status, answer = raw(bed, "POST", "/v1/chat/nothing", b"{}")
    assert status == 404 and answer["error"]["code"] == "not_found"


@pytest.mark.parametrize("path", ["/v1/../api/v1/orgs", "/v1/models/..%2f..%2fetc%2fpasswd", "/v1//chat/completions"])
def test_paths_that_climb(bed, recorder, path):
    status, _ = raw(bed, "GET", path, None)
    assert status in (400, 401, 403, 404, 405)
    assert recorder.records(recorder.mark) == []


# --- what the provider did ----------------------------------------------------------------------------------------

@pytest.mark.shows("errors", model="openai")
def test_the_providers_own_errors_pass_unchanged(bed):
    error = from_upstream(refused(openai.InternalServerError, bed.client(), text="fail with 500"))
    assert error.status_code == 500 and error.code == "model_error"
    error = from_upstream(refused(openai.RateLimitError, bed.client(), text="fail with 429"))
    assert error.code == "rate_limit_exceeded" and error.response.headers["retry-after"] == "7"
    error = from_upstream(refused(openai.BadRequestError, bed.client(), text="fail with 400"))
    assert error.code == "context_length_exceeded" and error.param == "messages"


def test_a_provider_that_refuses_the_customers_key(bed, recorder):
    with pytest.raises(openai.APIStatusError) as caught:
        chat(bed.client(org="globex"))
    error = from_upstream(caught.value)
    assert error.status_code in (401, 502)
    sent = recorder.await_record(recorder.mark)
    sent_key = dict((k.lower(), v) for k, v in sent["headers"])["authorization"]
    assert recorder.provider_key not in sent_key, "one customer's key was used for another"


def test_a_provider_that_is_not_there(bed):
    client = bed.client(base_url=bed.facts["dead_base_url"], api_key=bed.facts["dead_api_key"])
    error = refused(openai.InternalServerError, client)
    assert error.status_code == 502 and error.code == "upstream_unreachable"


def test_a_provider_that_dies_before_its_first_byte(bed):
    error = refused(openai.InternalServerError, bed.client(), "openai/scripted-reset")
    assert error.status_code == 502


def test_a_load_balancers_error_page(bed):
    error = from_upstream(refused(openai.InternalServerError, bed.client(), "openai/scripted-html-502"))
    assert error.status_code == 502


def test_no_redirect_is_followed(bed):
    with pytest.raises(openai.APIStatusError) as caught:
        chat(bed.client(), "openai/scripted-redirect")
    assert caught.value.status_code == 502
    assert "location" not in caught.value.response.headers
    assert bed.decoy_records() == ""


def test_timeout_and_lost_connection(bed):
    with pytest.raises(openai.APITimeoutError):
        chat(bed.client(timeout=0.4), "openai/scripted-hang")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(openai.APIConnectionError):
            chat(bed.client(base_url=f"http://127.0.0.1:{closed.getsockname()[1]}/v1"))


# --- by hand ------------------------------------------------------------------------------------------------------

def raw(bed, method, path, body, key="acme", headers=None):
    """A request that no SDK would send; its status and its JSON body, if it has one."""
    host, port = bed.facts["gateway"].rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    sent = {"content-type": "application/json"} | (headers or {})
    if key:
        sent["authorization"] = "Bearer " + bed.api_keys[key]
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        text = answer.read()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text
    finally:
        connection.close()


def refused_status(bed, headers):
    try:
        return raw(bed, "POST", "/v1/chat/completions", json.dumps({"model": MODEL, "messages": HELLO}),
                   headers=headers)[0]
    except (ConnectionError, http.client.HTTPException):
        return 400  # hung up on: refused all the same
