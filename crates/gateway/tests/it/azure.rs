//! Azure OpenAI in both forms of its URLs, and customers' own endpoints of other dialects.

use crate::rig::{Rig, Wish, run};
use crate::upstream::Script;
use serde_json::{Value, json};
use topdog_domain::provider::{Manner, ProviderApi};
use topdog_domain::usage::Outcome;

const SECRET: &str = "azure-own-key-0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2024-11-20","prompt_filter_results":[],"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop","content_filter_results":{}}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#;

async fn rig(script: Script, version: Option<&str>, secret: &str) -> Rig {
    let mut rig = Rig::start(Wish { tier: "TEAMS-SMALL", script, ..Wish::default() }).await;
    let manner = Manner::at(ProviderApi::Azure, "127.0.0.1", version, None).unwrap();
    let path = if version.is_some() { "/openai" } else { "/openai/v1" };
    rig.endpoint("azure", path, manner, secret).await;
    rig
}

fn ask(model: &str) -> String {
    json!({"model": model, "messages": [{"role": "user", "content": "hi"}], "seed": 7}).to_string()
}

/// What was sent last: the request line, the head in small letters, the body.
fn sent(rig: &Rig) -> (String, String, String) {
    let line = rig.upstream.seen.borrow().heads.last().unwrap().lines().next().unwrap().to_owned();
    let (head, body) = rig.upstream.last();
    (line, head, body)
}

#[test]
fn version_1_has_the_deployment_in_the_body() {
    run(async {
        let rig = rig(Script::json(ANSWER), None, SECRET).await;
        let reply = rig.chat(&ask("azure/my-gpt-4o")).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.body, ANSWER, "it passes as it came");
        let (line, head, body) = sent(&rig);
        assert_eq!(line, "POST /openai/v1/chat/completions HTTP/1.1");
        assert!(head.contains(&format!("\r\napi-key: {SECRET}")), "{head}");
        assert!(!head.contains("\r\nauthorization:") && !head.contains(&rig.token.to_lowercase()), "{head}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["model"], &body["seed"]), (&json!("my-gpt-4o"), &json!(7)));
        let record = &rig.records(1).await[0];
        assert_eq!((record.tokens.input, record.tokens.output), (5, 7));
        assert_eq!(record.outcome, Outcome::Completed);
    });
}

#[test]
fn a_version_by_date_has_the_deployment_in_the_path() {
    run(async {
        let rig = rig(Script::json(ANSWER), Some("2024-10-21"), SECRET).await;
        for (path, model, line) in [
            (
                "/v1/chat/completions",
                "azure/my-gpt-4o",
                "/openai/deployments/my-gpt-4o/chat/completions?api-version=2024-10-21",
            ),
            // What the client's own query says could name another version, or another place.
            (
                "/v1/chat/completions?api-version=2023-05-15&x=/../y",
                "azure/my-gpt-4o",
                "/openai/deployments/my-gpt-4o/chat/completions?api-version=2024-10-21",
            ),
            ("/v1/embeddings", "azure/ada", "/openai/deployments/ada/embeddings?api-version=2024-10-21"),
            ("/v1/responses", "azure/my-gpt-4o", "/openai/responses?api-version=2024-10-21"),
        ] {
            let reply = rig.post(path, &ask(model)).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let (told, head, _) = sent(&rig);
            assert_eq!(told, format!("POST {line} HTTP/1.1"));
            assert!(head.contains(&format!("\r\napi-key: {SECRET}")), "{head}");
        }
    });
}

#[test]
fn a_deployments_name_is_one_segment_of_the_path_or_none() {
    run(async {
        let rig = rig(Script::json(ANSWER), Some("2024-10-21"), SECRET).await;
        for (name, segment) in [
            ("evil.com#", "evil.com%23"),
            ("a@evil.com", "a%40evil.com"),
            ("a/../../b", "a%2F..%2F..%2Fb"),
            ("a?api-version=1", "a%3Fapi-version%3D1"),
            ("//evil.com", "%2F%2Fevil.com"),
            ("a%2e%2e", "a%252e%252e"),
        ] {
            let before = rig.upstream.count();
            let reply = rig.chat(&ask(&format!("azure/{name}"))).await;
            if reply.status != 200 {
                assert_eq!((reply.status, rig.upstream.count()), (400, before), "{name}: {}", reply.body);
                continue;
            }
            let (line, head, _) = sent(&rig);
            let path = format!("/openai/deployments/{segment}/chat/completions?api-version=2024-10-21");
            assert_eq!(line, format!("POST {path} HTTP/1.1"), "{name}");
            assert!(head.contains(&format!("\r\nhost: {}", rig.upstream.address)), "{head}");
        }
        for name in ["..", ".", "a\r\nx: y", "a b"] {
            let before = rig.upstream.count();
            let reply = rig.chat(&ask(&format!("azure/{name}"))).await;
            assert_eq!((reply.status, rig.upstream.count()), (400, before), "{name}: {}", reply.body);
        }
    });
}

#[test]
fn a_token_of_entras_goes_as_a_bearer() {
    run(async {
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhenVyZSJ9.c2lnbmF0dXJl";
        let rig = rig(Script::json(ANSWER), None, token).await;
        assert_eq!(rig.chat(&ask("azure/my-gpt-4o")).await.status, 200);
        let (_, head, _) = sent(&rig);
        assert!(head.contains(&format!("\r\nauthorization: bearer {}", token.to_lowercase())), "{head}");
        assert!(!head.contains("\r\napi-key:"), "{head}");
    });
}

#[test]
fn a_streams_first_chunk_of_filters_passes_and_our_own_usage_chunk_does_not() {
    run(async {
        let filters = r#"{"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}"#;
        let text = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}],"usage":null}"#;
        let stop = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#;
        let usage = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#;
        let script = Script::stream(&[filters, text, stop, usage, "[DONE]"]);
        let rig = rig(script, None, SECRET).await;
        let body = json!({"model": "azure/my-gpt-4o", "stream": true, "messages": []}).to_string();
        let reply = rig.chat(&body).await;
        assert!(reply.body.contains(filters) && reply.body.contains(text), "{}", reply.body);
        assert!(!reply.body.contains("total_tokens"), "{}", reply.body);
        assert!(reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);
        let record = &rig.records(1).await[0];
        assert_eq!((record.tokens.input, record.tokens.output), (5, 7));
    });
}

#[test]
fn an_error_that_repeats_the_key_comes_back_without_it() {
    run(async {
        let body = json!({"error": {"code": "401", "message": format!("Access denied due to invalid key {SECRET}")}});
        let script = Script::Answer { status: 401, content_type: "application/json", body: body.to_string() };
        let rig = rig(script, None, SECRET).await;
        let reply = rig.chat(&ask("azure/my-gpt-4o")).await;
        assert_eq!(reply.status, 401);
        assert!(!reply.body.contains(&SECRET[..8]) && reply.body.contains("[redacted]"), "{}", reply.body);
    });
}

#[test]
fn what_azure_does_not_have_is_refused() {
    run(async {
        let rig = rig(Script::json(ANSWER), None, SECRET).await;
        let reply = rig.post("/v1/moderations", r#"{"model":"azure/m","input":"x"}"#).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "operation_unsupported"));
        assert_eq!(rig.upstream.count(), 0);
    });
}

#[test]
fn a_form_goes_to_its_deployment() {
    run(async {
        let rig = rig(Script::json(r#"{"text":"hi"}"#), Some("2024-10-21"), SECRET).await;
        let form = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nazure/my-whisper\r\n--b\r\n\
                    content-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n";
        let reply = rig
            .raw(&format!(
                "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\n\
                 content-type: multipart/form-data; boundary=b\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{form}",
                rig.token,
                form.len()
            ))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let line = "POST /openai/deployments/my-whisper/audio/transcriptions?api-version=2024-10-21 HTTP/1.1";
        assert_eq!(sent(&rig).0, line);
    });
}

#[test]
fn an_endpoint_of_anthropics_dialect_is_spoken_to_in_it() {
    run(async {
        let answer = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":7}}"#;
        let mut rig =
            Rig::start(Wish { tier: "TEAMS-SMALL", script: Script::json(answer), ..Wish::default() }).await;
        rig.endpoint("mine", "/v1", Manner::of(ProviderApi::Anthropic), "own-key-0123456789abcdef").await;
        let body =
            json!({"model": "mine/m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        let native = rig.messages("/v1/messages", "", &body.to_string()).await;
        assert_eq!((native.status, native.body.as_str()), (200, answer));
        let (line, head, _) = sent(&rig);
        assert_eq!(line, "POST /v1/messages HTTP/1.1");
        assert!(head.contains("\r\nx-api-key: own-key-0123456789abcdef"), "{head}");
        assert!(head.contains("\r\nanthropic-version: 2023-06-01"), "{head}");
        let translated = rig.chat(&ask("mine/m").replace(",\"seed\":7", "")).await;
        assert_eq!(translated.status, 200, "{}", translated.body);
        assert_eq!(translated.json()["choices"][0]["message"]["content"], "hello");
        assert_eq!(sent(&rig).0, "POST /v1/messages HTTP/1.1");
    });
}

#[test]
fn nothing_is_passed_through_to_a_deployment_that_only_the_path_names() {
    run(async {
        let body = r#"{"model":"cheap","messages":[]}"#;
        let dated = rig(Script::json(ANSWER), Some("2024-10-21"), SECRET).await;
        let path = "/providers/azure/deployments/dear/extensions/chat?api-version=2024-10-21";
        let reply = dated.post(path, body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "operation_unsupported"), "{}", reply.body);
        assert_eq!(dated.upstream.count(), 0);
        let plain = rig(Script::json(ANSWER), None, SECRET).await;
        assert_eq!(plain.get("/providers/azure/files").await.status, 200);
        assert_eq!(sent(&plain).0, "GET /openai/v1/files HTTP/1.1");
        assert!(sent(&plain).1.contains(&format!("\r\napi-key: {SECRET}")));
    });
}
