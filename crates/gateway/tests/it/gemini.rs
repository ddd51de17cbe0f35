//! Callers that speak Gemini's API: the model in the path, the key in the query, streams as events and as one array,
//! natively and translated, and every refusal in Google's shape.

use crate::rig::{Reply, Rig, Wish, run, secret_for};
use crate::upstream::Script;
use serde_json::{Value, json};
use std::time::Duration;
use topdog_domain::directory::OrgFacts;
use topdog_domain::labels::DataSegment;
use topdog_domain::provider::{Family, Operation};
use topdog_domain::usage::{Outcome, TokenUsage, UsageSource};

const TIER: &str = "ENTERPRISE-STANDARD";
const NATIVE: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const STREAM: &str = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
const ASK: &str = r#"{ "contents" : [{"role":"user","parts":[{"text":"hi"}]}],"x":1.0 }"#;
const PLAIN: &str = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
const ANSWER: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"totalTokenCount":12},"modelVersion":"gemini-2.5-flash","responseId":"g1"}"#;
const FIRST: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"twelve bytes"}]},"index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8},"modelVersion":"gemini-2.5-flash","responseId":"g"}"#;
const LAST: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":" and more"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":15,"totalTokenCount":20},"modelVersion":"gemini-2.5-flash","responseId":"g"}"#;

fn wish(script: Script) -> Wish {
    Wish { tier: TIER, script, ..Wish::default() }
}

/// Events as Google ends them.
fn streaming(objects: &[&str]) -> Script {
    let pieces = objects.iter().map(|object| format!("data: {object}\r\n\r\n").into_bytes()).collect();
    Script::Chunks { pieces, pause: Duration::from_millis(2), has_end: true }
}

/// A request as Google's SDKs make it, with the key in that header line, or in none.
async fn ask(rig: &Rig, method: &str, path: &str, lines: &str, body: &str) -> Reply {
    rig.raw(&format!(
        "{method} {path} HTTP/1.1\r\nhost: td\r\ncontent-type: application/json\r\n{lines}connection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await
}

async fn post(rig: &Rig, path: &str, body: &str) -> Reply {
    ask(rig, "POST", path, &format!("x-goog-api-key: {}\r\n", rig.token), body).await
}

/// It is an error as Google's SDKs read it (google.rpc.Status), with our code as its reason, and the id of the request.
fn assert_error(reply: &Reply, status: u16, class: &str, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    let error = &reply.json()["error"];
    assert_eq!((&error["code"], &error["status"]), (&status.into(), &class.into()), "{error}");
    assert_eq!(error["details"][0]["reason"], code, "{error}");
    let request = error["details"].as_array().unwrap().iter().find_map(|d| d["requestId"].as_str()).unwrap();
    assert!(
        request.starts_with("req_") && reply.head.contains(&format!("\r\nx-request-id: {request}")),
        "{error}"
    );
}

#[test]
fn what_is_asked_and_answered_passes_as_it_is() {
    run(async {
        let rig = Rig::start(wish(Script::json(ANSWER))).await;
        for path in [
            NATIVE,
            "/v1beta/models/gemini/gemini-2.5-flash:generateContent",
            "/v1beta/models/gemini%2Fgemini-2.5-flash:generateContent",
            "/v1/models/gemini-2.5-flash:generateContent",
        ] {
            let reply = post(&rig, path, ASK).await;
            assert_eq!((reply.status, reply.body.as_str()), (200, ANSWER), "{path}");
            assert!(!reply.head.contains("x-topdog-translation"), "{}", reply.head);
            let (head, body) = rig.upstream.last();
            assert_eq!(body, ASK, "nothing of the body changes");
            assert!(
                head.starts_with("post /v1beta/models/gemini-2.5-flash:generatecontent http/1.1"),
                "{head}"
            );
            let key = format!("\r\nx-goog-api-key: {}\r\n", secret_for(Family::Gemini));
            assert!(head.contains(&key) && !head.contains(&rig.token.to_lowercase()), "{head}");
        }
        let record = &rig.records(4).await[1];
        let used = TokenUsage { input: 5, output: 7, ..TokenUsage::default() };
        assert_eq!((record.tokens, record.source), (used, UsageSource::Provider));
        assert_eq!((record.operation, record.provider.as_str()), (Operation::GenerateContent, "gemini"));
        assert_eq!(
            (&*record.model_requested, &*record.model),
            ("gemini/gemini-2.5-flash", "gemini-2.5-flash")
        );
    });
}

#[test]
fn a_key_in_the_query_is_one_and_goes_nowhere() {
    run(async {
        let rig = Rig::start(wish(Script::json(ANSWER))).await;
        let token = &rig.token;
        for (path, lines) in [
            (format!("{NATIVE}?key={token}"), String::new()),
            (format!("{NATIVE}?alt=json&key={}", token.replace('_', "%5F")), String::new()),
            (format!("{NATIVE}?key={token}"), format!("authorization: Bearer {token}\r\n")),
            (format!("{NATIVE}?key={token}&key={token}"), String::new()),
        ] {
            let reply = ask(&rig, "POST", &path, &lines, PLAIN).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let (head, _) = rig.upstream.last();
            assert!(
                head.starts_with("post /v1beta/models/gemini-2.5-flash:generatecontent http/1.1"),
                "{head}"
            );
            assert!(!head.contains(&token.to_lowercase()) && !head.contains("key="), "{head}");
        }
        let told = format!("{:?}{}", rig.admitted(), rig.metrics.encode());
        let secret = token.rsplit('_').next().unwrap();
        assert!(!told.contains(secret), "neither in records nor in metrics");
        let sent = rig.upstream.count();
        for path in [
            format!("{NATIVE}?key={token}&key=td_live_other"),
            format!("{NATIVE}?key=AIzaSomeKeyOfGoogles"),
            format!("{NATIVE}?key=%00"),
        ] {
            assert_error(
                &ask(&rig, "POST", &path, "", PLAIN).await,
                401,
                "UNAUTHENTICATED",
                "invalid_api_key",
            );
        }
        let both = format!("x-goog-api-key: {token}\r\n");
        let other = ask(&rig, "POST", &format!("{NATIVE}?key=AIzaOther"), &both, PLAIN).await;
        assert_error(&other, 401, "UNAUTHENTICATED", "invalid_api_key");
        assert!(!other.body.contains("AIzaOther"), "{}", other.body);
        let elsewhere =
            rig.post(&format!("/v1/chat/completions?x={token}"), r#"{"model":"openai/gpt-4o"}"#).await;
        assert_eq!(
            (elsewhere.status, elsewhere.code().as_str()),
            (400, "invalid_query"),
            "{}",
            elsewhere.body
        );
        assert!(!elsewhere.body.contains(secret), "{}", elsewhere.body);
        assert_eq!(rig.upstream.count(), sent);
    });
}

#[test]
fn a_name_in_a_path_leads_to_no_other_path_and_past_no_policy() {
    run(async {
        let facts = |f: &mut OrgFacts| f.api_keys[0].models = vec!["gemini/gemini-2.5-flash".to_owned()];
        let rig =
            Rig::start(Wish { tier: TIER, facts, script: Script::json(ANSWER), ..Wish::default() }).await;
        for name in [
            "../../v1beta/files/x",
            "..%2F..%2Ffiles%2Fx",
            "%2e%2e/gemini-2.5-flash",
            "gemini-2.5-flash/../gemini-2.5-pro",
            "gemini-2.5-flash%2F..%2Fgemini-2.5-pro",
            "gemini-2.5-flash%252F..",
            "gemini-2.5-flash%3Fx",
            "gemini-2.5-flash%23",
            "gemini-2.5-flash%5C",
            "gemini//gemini-2.5-flash",
            "%",
            "",
        ] {
            let reply = post(&rig, &format!("/v1beta/models/{name}:generateContent"), PLAIN).await;
            assert_error(&reply, 400, "INVALID_ARGUMENT", "invalid_model");
        }
        for name in
            ["gemini-2.5-pro", "gemini/gemini-2.5-flash:x", "gemini/gemini-2.5-flash/y", "Gemini-2.5-flash"]
        {
            let reply = post(&rig, &format!("/v1beta/models/{name}:generateContent"), PLAIN).await;
            assert!(matches!(reply.status, 403 | 404), "{name}: {} {}", reply.status, reply.body);
        }
        assert_eq!(rig.upstream.count(), 0);
        let other = r#"{"model":"models/gemini-2.5-pro","contents":[],"generateContentRequest":{"model":"models/gemini-2.5-pro"},"requests":[{"model":"models/gemini-2.5-pro"}]}"#;
        for method in ["generateContent", "countTokens", "embedContent", "batchEmbedContents"] {
            let reply = post(&rig, &format!("/v1beta/models/gemini-2.5-flash:{method}"), other).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let sent = rig.upstream.last().1;
            assert!(!sent.contains("pro") && sent.matches("models/gemini-2.5-flash").count() == 3, "{sent}");
        }
    });
}

#[test]
fn content_comes_from_providers_of_every_dialect() {
    let claude = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":7}}"#;
    let cohere = r#"{"id":"c1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]},"usage":{"billed_units":{"input_tokens":5,"output_tokens":7},"tokens":{"input_tokens":71,"output_tokens":7}}}"#;
    let openai = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#;
    run(async {
        for (family, model, path, answer) in [
            (Family::OpenAi, "gpt-4o", "/v1/chat/completions", openai),
            (Family::Anthropic, "claude-sonnet-4-5", "/v1/messages", claude),
            (Family::Cohere, "command-a-03-2025", "/v2/chat", cohere),
        ] {
            let rig = Rig::start(wish(Script::json(answer))).await;
            let asked = format!("/v1beta/models/{}/{model}:generateContent", family.name());
            let reply = post(&rig, &asked, PLAIN).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let told = reply.json();
            assert_eq!(told["candidates"][0]["content"]["parts"][0]["text"], "hello", "{told}");
            assert_eq!(told["candidates"][0]["finishReason"], "STOP", "{told}");
            assert_eq!(told["usageMetadata"]["candidatesTokenCount"], 7, "{told}");
            let (head, body) = rig.upstream.last();
            assert!(
                head.starts_with(&format!("post {path} http/1.1")) && head.contains(secret_for(family)),
                "{head}"
            );
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["model"], model, "{body}");
            assert_ne!(body["stream"], true, "{body}");
            let record = &rig.records(1).await[0];
            assert_eq!((record.tokens.input, record.tokens.output), (5, 7));
            assert_eq!((record.operation, record.outcome), (Operation::GenerateContent, Outcome::Completed));
        }
    });
}

/// What OpenAI streams, and what Gemini itself does, of the same two pieces.
fn both() -> [(&'static str, Script); 2] {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [choice], "usage": null}).to_string()
    };
    let openais = [
        chunk(json!({"role": "assistant", "content": "twelve bytes"}), Value::Null),
        chunk(json!({"content": " and more"}), Value::Null),
        chunk(json!({}), json!("stop")),
        r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":15,"total_tokens":20}}"#.to_owned(),
        "[DONE]".to_owned(),
    ];
    let openais: Vec<&str> = openais.iter().map(String::as_str).collect();
    [("openai/gpt-4o", Script::stream(&openais)), ("gemini/gemini-2.5-flash", streaming(&[FIRST, LAST]))]
}

fn text_of(objects: &[Value]) -> String {
    let texts =
        objects.iter().filter_map(|object| object["candidates"][0]["content"]["parts"][0]["text"].as_str());
    texts.collect()
}

#[test]
fn streams_come_as_events_or_as_one_array() {
    run(async {
        for (model, script) in both() {
            for form in ["?alt=sse", "", "?alt=json", "?$alt=sse"] {
                let rig = Rig::start(wish(script.clone())).await;
                let path = format!("/v1beta/models/{model}:streamGenerateContent{form}");
                let reply = post(&rig, &path, PLAIN).await;
                assert_eq!(reply.status, 200, "{}", reply.body);
                let objects: Vec<Value> = if form.ends_with("sse") {
                    assert!(reply.head.contains("\r\ncontent-type: text/event-stream"), "{}", reply.head);
                    let data = reply.body.lines().filter_map(|line| line.strip_prefix("data: "));
                    data.map(|data| serde_json::from_str(data).unwrap()).collect()
                } else {
                    assert!(reply.head.contains("\r\ncontent-type: application/json"), "{}", reply.head);
                    serde_json::from_str(&reply.body).unwrap()
                };
                assert_eq!(text_of(&objects), "twelve bytes and more", "{model}{form}: {}", reply.body);
                assert_eq!(
                    objects.last().unwrap()["candidates"][0]["finishReason"],
                    "STOP",
                    "{}",
                    reply.body
                );
                let (head, body) = rig.upstream.last();
                if model.starts_with("gemini") {
                    let expected =
                        "post /v1beta/models/gemini-2.5-flash:streamgeneratecontent?alt=sse http/1.1";
                    assert!(head.starts_with(expected), "{head}");
                } else {
                    assert!(body.contains("\"stream\":true"), "the path says it, not the body: {body}");
                }
                let record = &rig.records(1).await[0];
                let used = TokenUsage { input: 5, output: 15, ..TokenUsage::default() };
                assert_eq!((record.tokens, record.source), (used, UsageSource::Provider), "{model}{form}");
                assert_eq!((record.outcome, record.is_stream), (Outcome::Completed, true));
            }
        }
    });
}

#[test]
fn an_array_flows_while_it_comes() {
    run(async {
        let pieces =
            [FIRST, LAST].iter().map(|object| format!("data: {object}\r\n\r\n").into_bytes()).collect();
        let rig =
            Rig::start(wish(Script::Chunks { pieces, pause: Duration::from_secs(3), has_end: true })).await;
        let head = format!(
            "POST {STREAM} HTTP/1.1\r\nhost: td\r\nx-goog-api-key: {}\r\ncontent-length: {}\r\n\r\n{PLAIN}",
            rig.token,
            PLAIN.len()
        );
        let heard = tokio::time::timeout(Duration::from_secs(2), rig.heard_of(&head, "twelve bytes")).await;
        drop(heard.expect("the first object is not held for the second"));
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.is_counted), (Outcome::ClientGone, true));
    });
}

#[test]
fn a_provider_that_dies_in_its_stream_never_looks_like_a_success() {
    run(async {
        let torn = &FIRST[..FIRST.len() / 2];
        for (model, first) in [
            ("gemini/gemini-2.5-flash", FIRST),
            (
                "openai/gpt-4o",
                r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"twelve bytes"},"finish_reason":null}]}"#,
            ),
        ] {
            for events in [
                vec![format!("data: {first}\r\n\r\n")],
                vec![format!("data: {first}\r\n\r\n"), format!("data: {torn}")],
                vec![],
            ] {
                for (form, has_end) in [("?alt=sse", false), ("?alt=sse", true), ("", false), ("", true)] {
                    let pieces = events.iter().map(|event| event.clone().into_bytes()).collect();
                    let script = Script::Chunks { pieces, pause: Duration::from_millis(2), has_end };
                    let rig = Rig::start(wish(script)).await;
                    let reply =
                        post(&rig, &format!("/v1beta/models/{model}:streamGenerateContent{form}"), PLAIN)
                            .await;
                    let last: Value = if form.is_empty() {
                        let objects: Vec<Value> = serde_json::from_str(&reply.body)
                            .unwrap_or_else(|_| panic!("{model}: an array in any case: {}", reply.body));
                        objects.last().cloned().unwrap()
                    } else {
                        let data = reply.body.trim_end().rsplit_once("data: ").unwrap().1;
                        serde_json::from_str(data).unwrap()
                    };
                    assert_eq!(last["error"]["status"], "INTERNAL", "{last}");
                    assert!(!reply.body.contains("STOP"), "{}", reply.body);
                    let record = &rig.records(1).await[0];
                    assert_eq!(
                        (record.outcome, record.is_counted),
                        (Outcome::UpstreamFailed, true),
                        "{model}{form}"
                    );
                    assert_eq!(record.error_code.as_deref(), Some("upstream_failed"));
                }
            }
        }
    });
}

#[test]
fn a_failure_within_a_stream_passes_without_the_key_and_is_no_success() {
    run(async {
        let secret = secret_for(Family::Gemini);
        let failed = format!(
            r#"{{"error":{{"code":503,"message":"overloaded, key {secret}","status":"UNAVAILABLE"}}}}"#
        );
        for form in ["?alt=sse", ""] {
            let rig = Rig::start(wish(streaming(&[FIRST, &failed]))).await;
            let reply = post(&rig, &format!("{STREAM}{form}"), PLAIN).await;
            assert!(!reply.body.contains(secret) && reply.body.contains("[redacted]"), "{}", reply.body);
            assert_eq!(
                reply.body.matches("\"error\"").count(),
                1,
                "and no second one behind it: {}",
                reply.body
            );
            if form.is_empty() {
                assert_eq!(reply.json().as_array().unwrap().len(), 2, "{}", reply.body);
            }
            let record = &rig.records(1).await[0];
            assert_eq!(
                (record.outcome, record.error_code.as_deref()),
                (Outcome::UpstreamError, Some("UNAVAILABLE"))
            );
        }
    });
}

#[test]
fn the_end_of_a_regulated_stream_waits_for_its_record() {
    run(async {
        let facts = |f: &mut OrgFacts| f.organisation.data_segment = Some(DataSegment::Medical);
        for form in ["?alt=sse", ""] {
            let rig = Rig::start(Wish { tier: TIER, facts, ..Wish::default() }).await;
            let pieces =
                [FIRST, LAST].iter().map(|object| format!("data: {object}\r\n\r\n").into_bytes()).collect();
            rig.upstream.now_does(Script::Chunks {
                pieces,
                pause: Duration::from_millis(100),
                has_end: true,
            });
            let spool = rig.spool.clone();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(Duration::from_millis(80)).await;
                spool.set_healthy(false);
            });
            let reply = post(&rig, &format!("{STREAM}{form}"), PLAIN).await;
            assert!(reply.body.contains("twelve bytes") && !reply.body.contains("STOP"), "{}", reply.body);
            let is_array = serde_json::from_str::<Value>(&reply.body).is_ok();
            assert!(!is_array, "what has no end looks like none: {}", reply.body);
        }
    });
}

#[test]
fn texts_are_embedded_natively_and_elsewhere() {
    let own = r#"{"embedding":{"values":[0.5,-1.25]}}"#;
    let openais = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.25]}],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    let single = r#"{"content":{"parts":[{"text":"a"}]}}"#;
    let batch = r#"{"requests":[{"model":"models/x","content":{"parts":[{"text":"a"}]}}]}"#;
    run(async {
        for (model, method, body, answer, path) in [
            (
                "gemini/gemini-embedding-001",
                "embedContent",
                single,
                own,
                "/v1beta/models/gemini-embedding-001:embedcontent",
            ),
            ("openai/text-embedding-3-small", "embedContent", single, openais, "/v1/embeddings"),
            ("openai/text-embedding-3-small", "batchEmbedContents", batch, openais, "/v1/embeddings"),
        ] {
            let rig = Rig::start(wish(Script::json(answer))).await;
            let reply = post(&rig, &format!("/v1beta/models/{model}:{method}"), body).await;
            assert_eq!(reply.status, 200, "{model}: {}", reply.body);
            let told = reply.json();
            let vector = if method == "embedContent" { &told["embedding"] } else { &told["embeddings"][0] };
            assert_eq!(vector["values"], json!([0.5, -1.25]), "{told}");
            assert!(
                rig.upstream.last().0.starts_with(&format!("post {path} http")),
                "{}",
                rig.upstream.last().0
            );
        }
    });
}

#[test]
fn tokens_are_counted_by_the_provider_and_cost_none() {
    run(async {
        let rig = Rig::start(wish(Script::json(r#"{"totalTokens":3}"#))).await;
        let reply = post(&rig, "/v1beta/models/gemini-2.5-flash:countTokens", PLAIN).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"totalTokens":3}"#));
        let record = &rig.records(1).await[0];
        assert_eq!((record.operation, record.tokens.total()), (Operation::CountContentTokens, 0));
        let elsewhere = post(&rig, "/v1beta/models/openai/gpt-4o:countTokens", PLAIN).await;
        assert_error(&elsewhere, 400, "INVALID_ARGUMENT", "operation_unsupported");
    });
}

#[test]
fn every_refusal_has_googles_shape() {
    run(async {
        let mut rig = Rig::start(Wish { tier: "TEAMS-SMALL", ..Wish::default() }).await;
        let none = ask(&rig, "POST", NATIVE, "", PLAIN).await;
        assert_error(&none, 401, "UNAUTHENTICATED", "missing_api_key");
        for (path, body, status, class, code) in [
            (NATIVE, "{", 400, "INVALID_ARGUMENT", "invalid_json"),
            (NATIVE, r#"{"contents":[],"contents":[]}"#, 400, "INVALID_ARGUMENT", "duplicate_parameter"),
            ("/v1beta/models/gemini-2.5-flesh:generateContent", PLAIN, 404, "NOT_FOUND", "model_not_found"),
            ("/v1beta/models/gemini-2.5-flash:predict", PLAIN, 404, "NOT_FOUND", "not_found"),
            ("/v1beta/files", "{}", 404, "NOT_FOUND", "not_found"),
            (
                "/v1beta/models/gemini-2.5-flash:generateContent?alt=proto",
                PLAIN,
                400,
                "INVALID_ARGUMENT",
                "invalid_query",
            ),
            (
                "/v1beta/models/gemini-2.5-flash:generateContent?fields=candidates",
                PLAIN,
                400,
                "INVALID_ARGUMENT",
                "invalid_query",
            ),
            (
                "/v1beta/models/openai/gpt-4o:generateContent",
                r#"{"contents":[{"parts":[{"text":"hi"}]}],"nonsense":1}"#,
                400,
                "INVALID_ARGUMENT",
                "not_translatable",
            ),
        ] {
            assert_error(&post(&rig, path, body).await, status, class, code);
        }
        let get = ask(&rig, "GET", NATIVE, &format!("x-goog-api-key: {}\r\n", rig.token), "").await;
        assert_error(&get, 405, "INVALID_ARGUMENT", "method_not_allowed");
        let bad = "POST /v1beta/models/x:generateContent HTTP/1.1\r\nhost: td\r\nhost: td\r\n\r\n";
        assert_error(&rig.raw(bad).await, 400, "INVALID_ARGUMENT", "malformed_request");
        rig.upstream.now_does(Script::Close);
        assert_error(&post(&rig, NATIVE, PLAIN).await, 502, "INTERNAL", "upstream_failed");
        let body = r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}"#.to_owned();
        rig.upstream.now_does(Script::Answer {
            status: 429,
            content_type: "application/json",
            body: body.clone(),
        });
        let reply = post(&rig, NATIVE, PLAIN).await;
        assert_eq!((reply.status, &reply.body), (429, &body), "a provider's own error passes");
        rig.change(|f| f.provider_keys.retain(|key| key.provider.as_str() != "gemini"));
        assert_error(&post(&rig, NATIVE, PLAIN).await, 403, "PERMISSION_DENIED", "no_provider_key");
        let echo = post(&rig, "/v1beta/models/test/echo:generateContent", PLAIN).await;
        assert_eq!((echo.status, &echo.json()["error"]["code"]), (400, &400.into()), "{}", echo.body);
    });
}

#[test]
fn models_are_listed_in_geminis_shape() {
    run(async {
        let rig = Rig::start(Wish { tier: "TEAMS-SMALL", ..Wish::default() }).await;
        let key = format!("x-goog-api-key: {}\r\n", rig.token);
        for (path, lines) in [
            ("/v1beta/models?pageSize=50".to_owned(), key.as_str()),
            (format!("/v1beta/models?key={}", rig.token), ""),
            ("/v1/models".to_owned(), &key),
            (format!("/v1/models?key={}", rig.token), ""),
        ] {
            let told = ask(&rig, "GET", &path, lines, "").await.json();
            let names: Vec<&str> = told["models"]
                .as_array()
                .unwrap()
                .iter()
                .map(|model| model["name"].as_str().unwrap())
                .collect();
            assert!(names.contains(&"models/gemini/gemini-2.5-flash"), "{names:?}");
            assert!(names.contains(&"models/openai/gpt-4o"), "{names:?}");
        }
        let one = ask(&rig, "GET", "/v1beta/models/openai/gpt-4o", &key, "").await.json();
        assert_eq!(one["name"], "models/openai/gpt-4o", "{one}");
        let missing = ask(&rig, "GET", "/v1beta/models/nothing", &key, "").await;
        assert_error(&missing, 404, "NOT_FOUND", "model_not_found");
        assert!(rig.admitted().is_empty());
    });
}
