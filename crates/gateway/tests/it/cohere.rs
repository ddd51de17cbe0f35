//! Callers that speak Cohere's API: natively, translated, and every refusal in Cohere's shape.

use crate::rig::{Reply, Rig, Wish, run, secret_for};
use crate::upstream::Script;
use serde_json::{Value, json};
use std::time::Duration;
use topdog_domain::directory::OrgFacts;
use topdog_domain::labels::DataSegment;
use topdog_domain::provider::{Family, Operation};
use topdog_domain::usage::{Outcome, TokenUsage, UsageSource};

const TIER: &str = "ENTERPRISE-STANDARD";
const PATH: &str = "/v2/chat";
const ASK: &str =
    r#"{ "model" : "cohere/command-a-03-2025", "messages":[{"role":"user","content":"hi"}],"x":1.0 }"#;
const ANSWER: &str = r#"{"id":"c1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]},"usage":{"billed_units":{"input_tokens":5,"output_tokens":7},"tokens":{"input_tokens":71,"output_tokens":7}}}"#;
const START: &str = "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"c1\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}}\n\n";
const DELTA: &str = "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"twelve bytes\"}}}}\n\n";
const END: &str = "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":5,\"output_tokens\":15},\"tokens\":{\"input_tokens\":70,\"output_tokens\":15}}}}\n\n";

fn wish(script: Script) -> Wish {
    Wish { tier: TIER, script, ..Wish::default() }
}

fn streaming(events: &[&str]) -> Script {
    let pieces = events.iter().map(|event| event.as_bytes().to_vec()).collect();
    Script::Chunks { pieces, pause: Duration::from_millis(2), has_end: true }
}

fn ask_stream(model: &str) -> String {
    json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "hi"}]}).to_string()
}

/// It is an error as Cohere's SDKs read it: no object around it, with our code, and the id of the request.
fn assert_error(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    let body = reply.json();
    assert!(body["message"].is_string() && body.get("error").is_none(), "{body}");
    assert_eq!(body["code"], code, "{body}");
    let request = body["id"].as_str().unwrap_or_default();
    assert!(
        request.starts_with("req_") && reply.head.contains(&format!("\r\nx-request-id: {request}")),
        "{body}"
    );
}

#[test]
fn what_is_asked_and_answered_passes_as_it_is() {
    run(async {
        let rig = Rig::start(wish(Script::json(ANSWER))).await;
        let reply = rig.post(PATH, ASK).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ANSWER));
        assert!(!reply.head.contains("x-topdog-translation"), "{}", reply.head);
        let (head, body) = rig.upstream.last();
        assert_eq!(body, ASK.replace("cohere/", ""), "the model is spliced, and nothing else");
        assert!(head.starts_with("post /v2/chat http/1.1"), "{head}");
        let key = format!("\r\nauthorization: bearer {}\r\n", secret_for(Family::Cohere));
        assert!(head.contains(&key) && !head.contains(&rig.token.to_lowercase()), "{head}");
        let record = &rig.records(1).await[0];
        let used = TokenUsage { input: 5, output: 7, ..TokenUsage::default() };
        assert_eq!((record.tokens, record.source), (used, UsageSource::Provider), "what is billed counts");
        assert_eq!((record.operation, record.provider.as_str()), (Operation::CohereChat, "cohere"));
        let plain = ASK.replace("cohere/", "");
        assert_eq!(rig.post(PATH, &plain).await.status, 200, "its maker is led to by the plain name");
        assert_eq!(rig.upstream.last().1, plain);
    });
}

#[test]
fn a_chat_of_coheres_reaches_providers_of_every_dialect() {
    let claude = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hello"}],"stop_reason":"max_tokens","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":7}}"#;
    let gemini = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"totalTokenCount":12},"modelVersion":"gemini-2.5-flash","responseId":"g1"}"#;
    let openai = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"hello","refusal":null},"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#;
    run(async {
        for (family, model, path, answer) in [
            (Family::OpenAi, "gpt-4o", "/v1/chat/completions", openai),
            (Family::Anthropic, "claude-sonnet-4-5", "/v1/messages", claude),
            (Family::Gemini, "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generatecontent", gemini),
        ] {
            let rig = Rig::start(wish(Script::json(answer))).await;
            let ask = json!({"model": format!("{}/{model}", family.name()), "messages": [{"role": "user", "content": "hi"}]});
            let reply = rig.post(PATH, &ask.to_string()).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let told = reply.json();
            assert_eq!(told["message"]["content"][0]["text"], "hello", "{told}");
            assert_eq!(told["finish_reason"], "MAX_TOKENS", "{told}");
            assert_eq!(told["usage"]["billed_units"]["output_tokens"], 7, "{told}");
            let (head, _) = rig.upstream.last();
            assert!(head.starts_with(&format!("post {path} http/1.1")), "{head}");
            assert!(head.contains(secret_for(family)), "{head}");
            let record = &rig.records(1).await[0];
            assert_eq!((record.tokens.input, record.tokens.output), (5, 7));
            assert_eq!((record.operation, record.outcome), (Operation::CohereChat, Outcome::Completed));
        }
    });
}

#[test]
fn streams_pass_and_tell_their_usage_natively_and_translated() {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!(
            "data: {}\n\n",
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [choice], "usage": null})
        )
    };
    let openais = [
        chunk(json!({"role": "assistant", "content": "twelve bytes"}), Value::Null),
        chunk(json!({}), json!("stop")),
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":15,\"total_tokens\":20}}\n\n".to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ];
    let openais: Vec<&str> = openais.iter().map(String::as_str).collect();
    let natives = [START, DELTA, END];
    run(async {
        for (model, events) in [("cohere/command-a-03-2025", &natives[..]), ("openai/gpt-4o", &openais)] {
            let rig = Rig::start(wish(streaming(events))).await;
            let reply = rig.post(PATH, &ask_stream(model)).await;
            assert_eq!(reply.status, 200);
            assert!(reply.head.contains("\r\ncontent-type: text/event-stream"), "{}", reply.head);
            if model.starts_with("cohere") {
                assert_eq!(reply.body, natives.concat());
            }
            assert!(reply.body.starts_with("event: message-start\n"), "{}", reply.body);
            assert_eq!(reply.body.matches("event: message-end\n").count(), 1, "{}", reply.body);
            assert!(reply.body.contains("\"finish_reason\":\"COMPLETE\""), "{}", reply.body);
            let record = &rig.records(1).await[0];
            let used = TokenUsage { input: 5, output: 15, ..TokenUsage::default() };
            assert_eq!((record.tokens, record.source), (used, UsageSource::Provider));
            assert_eq!((record.outcome, record.is_counted), (Outcome::Completed, true));
        }
    });
}

#[test]
fn a_provider_that_dies_in_its_stream_never_looks_like_a_success() {
    run(async {
        let torn = &DELTA[..DELTA.len() / 2];
        for events in [&[START][..], &[START, DELTA], &[START, DELTA, torn]] {
            for script in [streaming(events), streaming(events).dying()] {
                let rig = Rig::start(wish(script)).await;
                let reply = rig.post(PATH, &ask_stream("cohere/command-a-03-2025")).await;
                let (before, last) = reply.body.trim_end().rsplit_once("\n\n").unwrap();
                assert!(events.concat().starts_with(before.trim_end()), "{before}");
                let data =
                    last.strip_prefix("event: message-end\ndata: ").unwrap_or_else(|| panic!("{last}"));
                let told: Value = serde_json::from_str(data).unwrap();
                assert_eq!(told["delta"]["finish_reason"], "ERROR", "{told}");
                let record = &rig.records(1).await[0];
                assert_eq!((record.outcome, record.is_counted), (Outcome::UpstreamFailed, true));
                assert_eq!(record.error_code.as_deref(), Some("upstream_failed"));
            }
        }
    });
}

#[test]
fn a_failure_within_a_stream_passes_and_is_no_success() {
    run(async {
        let failed = "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"error\":\"overloaded\",\"finish_reason\":\"ERROR\"}}\n\n";
        let rig = Rig::start(wish(streaming(&[START, DELTA, failed]))).await;
        let reply = rig.post(PATH, &ask_stream("cohere/command-a-03-2025")).await;
        assert_eq!(reply.body, [START, DELTA, failed].concat(), "and no second end behind it");
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.is_counted), (Outcome::UpstreamError, true));
        assert_eq!(record.source, UsageSource::Estimated);
    });
}

#[test]
fn the_last_event_of_a_regulated_stream_waits_for_its_record() {
    run(async {
        let facts = |f: &mut OrgFacts| f.organisation.data_segment = Some(DataSegment::Medical);
        let rig = Rig::start(Wish { tier: TIER, facts, ..Wish::default() }).await;
        let pieces = [START, DELTA, END].iter().map(|event| event.as_bytes().to_vec()).collect();
        rig.upstream.now_does(Script::Chunks { pieces, pause: Duration::from_millis(50), has_end: true });
        let spool = rig.spool.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_millis(80)).await;
            spool.set_healthy(false);
        });
        let reply = rig.post(PATH, &ask_stream("cohere/command-a-03-2025")).await;
        assert!(!reply.body.contains("COMPLETE"), "not before its record is kept: {}", reply.body);
        assert!(reply.body.contains("records_unavailable"), "{}", reply.body);
    });
}

#[test]
fn texts_are_embedded_natively_and_elsewhere() {
    let own = r#"{"id":"e1","embeddings":{"float":[[0.5,-1.25]]},"texts":["a"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":4}},"response_type":"embeddings_by_type"}"#;
    let openais = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.25]}],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    let geminis = r#"{"embeddings":[{"values":[0.5,-1.25]}]}"#;
    run(async {
        for (model, path, answer, source) in [
            ("cohere/embed-v4.0", "/v2/embed", own, UsageSource::Provider),
            ("openai/text-embedding-3-small", "/v1/embeddings", openais, UsageSource::Provider),
            (
                "gemini/gemini-embedding-001",
                "/v1beta/models/gemini-embedding-001:batchembedcontents",
                geminis,
                UsageSource::Estimated,
            ),
        ] {
            let rig = Rig::start(wish(Script::json(answer))).await;
            let mut ask = json!({"model": model, "texts": ["a"], "embedding_types": ["float"]});
            if !model.starts_with("openai") {
                ask["input_type"] = "search_query".into();
            }
            let reply = rig.post("/v2/embed", &ask.to_string()).await;
            assert_eq!(reply.status, 200, "{model}: {}", reply.body);
            assert_eq!(
                reply.json()["embeddings"]["float"][0],
                json!([0.5, -1.25]),
                "{model}: {}",
                reply.body
            );
            assert!(
                rig.upstream.last().0.starts_with(&format!("post {path} http")),
                "{}",
                rig.upstream.last().0
            );
            let record = &rig.records(1).await[0];
            assert_eq!((record.operation, record.source), (Operation::CohereEmbed, source), "{model}");
            if source == UsageSource::Provider {
                assert_eq!(record.tokens, TokenUsage { input: 4, ..TokenUsage::default() }, "{model}");
            }
        }
    });
}

#[test]
fn documents_are_ranked_by_coheres_models_only() {
    run(async {
        let answer = r#"{"id":"r1","results":[{"index":1,"relevance_score":0.9}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}"#;
        let rig = Rig::start(wish(Script::json(answer))).await;
        let ask = |model: &str| json!({"model": model, "query": "q", "documents": ["a", "b"]}).to_string();
        let reply = rig.post("/v2/rerank", &ask("cohere/rerank-v3.5")).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, answer));
        assert!(rig.upstream.last().0.starts_with("post /v2/rerank http"));
        let record = &rig.records(1).await[0];
        assert_eq!((record.operation, record.source), (Operation::Rerank, UsageSource::Estimated));
        assert_eq!(record.cost_nanodollars, None, "searches have no price in tokens");
        for model in ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"] {
            assert_error(&rig.post("/v2/rerank", &ask(model)).await, 400, "operation_unsupported");
        }
        assert_eq!(rig.upstream.count(), 1);
    });
}

#[test]
fn every_refusal_has_coheres_shape() {
    run(async {
        let mut rig = Rig::start(Wish { tier: "PRO-PLUS", ..Wish::default() }).await;
        let none = rig.raw("POST /v2/chat HTTP/1.1\r\nhost: td\r\nconnection: close\r\n\r\n").await;
        assert_error(&none, 401, "missing_api_key");
        for (path, body, status, code) in [
            (PATH, "{", 400, "invalid_json"),
            (PATH, r#"{"messages":[]}"#, 400, "missing_required_parameter"),
            (PATH, r#"{"model":"a","model":"b"}"#, 400, "duplicate_parameter"),
            (PATH, r#"{"model":"comand-r"}"#, 404, "model_not_found"),
            (PATH, r#"{"model":"gemini/x"}"#, 403, "tier_limit"),
            (
                "/v2/embed",
                r#"{"model":"anthropic/claude-sonnet-4-5","texts":["a"]}"#,
                400,
                "operation_unsupported",
            ),
            ("/v2/nothing", "{}", 404, "not_found"),
            ("/v2/models", "{}", 404, "not_found"),
        ] {
            assert_error(&rig.post(path, body).await, status, code);
        }
        assert_error(&rig.get(PATH).await, 405, "method_not_allowed");
        let bad = "POST /v2/chat HTTP/1.1\r\nhost: td\r\nhost: td\r\n\r\n";
        assert_error(&rig.raw(bad).await, 400, "malformed_request");
        rig.upstream.now_does(Script::Close);
        assert_error(&rig.post(PATH, ASK).await, 502, "upstream_failed");
        let body = r#"{"id":"up","message":"too many tokens"}"#.to_owned();
        rig.upstream.now_does(Script::Answer {
            status: 429,
            content_type: "application/json",
            body: body.clone(),
        });
        let reply = rig.post(PATH, ASK).await;
        assert_eq!((reply.status, &reply.body), (429, &body), "a provider's own error passes");
        rig.change(|f| f.provider_keys.retain(|key| key.provider.as_str() != "cohere"));
        assert_error(&rig.post(PATH, ASK).await, 403, "no_provider_key");
        let mut free = Rig::start(Wish { tier: "FREE", ..Wish::default() }).await;
        assert_error(&free.post(PATH, r#"{"model":"openai/gpt-4o"}"#).await, 403, "tier_limit");
        free.change(|_| {});
    });
}

#[test]
fn the_key_is_never_heard_back() {
    run(async {
        let secret = secret_for(Family::Cohere);
        let rig = Rig::start(wish(Script::json("{}"))).await;
        let body = format!(r#"{{"id":"x","message":"invalid api token {secret}"}}"#);
        for status in [200, 401] {
            rig.upstream.now_does(Script::Answer {
                status,
                content_type: "application/json",
                body: body.clone(),
            });
            let reply = rig.post(PATH, ASK).await;
            assert_eq!(reply.status, status);
            assert!(!reply.body.contains(secret) && reply.body.contains("[redacted]"), "{}", reply.body);
        }
        let event = format!(
            "event: message-end\ndata: {{\"type\":\"message-end\",\"delta\":{{\"error\":\"bad {secret}\",\"finish_reason\":\"ERROR\"}}}}\n\n"
        );
        rig.upstream.now_does(streaming(&[START, &event]));
        let reply = rig.post(PATH, &ask_stream("cohere/command-a-03-2025")).await;
        assert!(!reply.body.contains(secret) && reply.body.contains("[redacted]"), "{}", reply.body);
    });
}

#[test]
fn models_are_listed_in_coheres_shape_for_its_sdks() {
    run(async {
        let rig = Rig::start(Wish { tier: "PRO-PLUS", ..Wish::default() }).await;
        let list = async |path: &str| {
            let token = &rig.token;
            rig.raw(&format!("GET {path} HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {token}\r\nx-fern-sdk-name: cohere\r\nconnection: close\r\n\r\n"))
                .await
        };
        let told = list("/v1/models").await.json();
        let names: Vec<&str> =
            told["models"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"cohere/command-a") && names.contains(&"openai/gpt-4o"), "{names:?}");
        assert!(names.iter().all(|name| !name.starts_with("gemini/")), "the tier has no Gemini: {names:?}");
        let one = list("/v1/models/cohere%2Fcommand-a").await.json();
        assert_eq!(one["name"], "cohere/command-a", "{one}");
        assert_error(&list("/v1/models/nothing").await, 404, "model_not_found");
    });
}
