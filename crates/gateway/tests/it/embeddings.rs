//! Embeddings of providers that speak another dialect than the caller.

use crate::rig::{Rig, Wish, run, secret_for};
use crate::upstream::Script;
use serde_json::{Value, json};
use topdog_domain::provider::{Family, Operation};
use topdog_domain::usage::{Outcome, UsageSource};

const COHERE: &str = r#"{"id":"e1","embeddings":{"float":[[0.5,-1.25],[2.0,0.0]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":4}},"response_type":"embeddings_by_type"}"#;
const GEMINI: &str = r#"{"embeddings":[{"values":[0.5,-1.25]},{"values":[2.0,0.0]}]}"#;

fn ask(model: &str) -> String {
    json!({"model": model, "input": ["a", "b"]}).to_string()
}

#[test]
fn vectors_come_from_providers_of_other_dialects() {
    run(async {
        for (family, model, path, answer) in [
            (Family::Cohere, "cohere/embed-v4.0", "/v2/embed", COHERE),
            (
                Family::Gemini,
                "gemini/gemini-embedding-001",
                "/v1beta/models/gemini-embedding-001:batchembedcontents",
                GEMINI,
            ),
        ] {
            let wish = Wish { tier: "ENTERPRISE-STANDARD", script: Script::json(answer), ..Wish::default() };
            let rig = Rig::start(wish).await;
            let reply = rig.post("/v1/embeddings", &ask(model)).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let told = reply.json();
            assert_eq!((&told["object"], &told["data"][1]["index"]), (&"list".into(), &1.into()), "{told}");
            assert_eq!(told["data"][0]["embedding"], json!([0.5, -1.25]), "{told}");
            let (head, body) = rig.upstream.last();
            assert!(head.starts_with(&format!("post {path} http/1.1")), "{head}");
            assert!(head.contains(secret_for(family)), "{head}");
            let sent: Value = serde_json::from_str(&body).unwrap();
            assert!(sent.get("input").is_none(), "{sent}");
            let record = &rig.records(1).await[0];
            assert_eq!((record.operation, record.outcome), (Operation::Embeddings, Outcome::Completed));
            let (input, source) = (record.tokens.input, record.source);
            match family {
                Family::Cohere => assert_eq!((input, source), (4, UsageSource::Provider)),
                _ => assert!(
                    input > 0 && source == UsageSource::Estimated,
                    "it tells none: {input} {source:?}"
                ),
            }
        }
    });
}

#[test]
fn openais_sdks_get_the_base64_that_they_ask_for() {
    run(async {
        let wish = Wish { tier: "PRO-PLUS", script: Script::json(COHERE), ..Wish::default() };
        let rig = Rig::start(wish).await;
        let body = ask("cohere/embed-v4.0").replace("\"model\"", "\"encoding_format\":\"base64\",\"model\"");
        let reply = rig.post("/v1/embeddings", &body).await;
        // 0.5 and -1.25 as little-endian floats.
        assert_eq!(reply.json()["data"][0]["embedding"], "AAAAPwAAoL8=", "{}", reply.body);
    });
}

#[test]
fn what_cannot_be_embedded_there_is_refused_and_errors_are_the_callers() {
    run(async {
        let wish = Wish { tier: "PRO-PLUS", script: Script::json(COHERE), ..Wish::default() };
        let rig = Rig::start(wish).await;
        let tokens = json!({"model": "cohere/embed-v4.0", "input": [[1, 2, 3]]}).to_string();
        let reply = rig.post("/v1/embeddings", &tokens).await;
        assert_eq!(reply.status, 400, "{}", reply.body);
        assert_eq!(rig.upstream.count(), 0);
        assert!(rig.admitted().is_empty());
        let body = r#"{"id":"x","message":"too many tokens"}"#.to_owned();
        rig.upstream.now_does(Script::Answer { status: 422, content_type: "application/json", body });
        let reply = rig.post("/v1/embeddings", &ask("cohere/embed-v4.0")).await;
        assert!((400..500).contains(&reply.status), "{}", reply.status);
        assert_eq!(reply.json()["error"]["message"], "too many tokens", "{}", reply.body);
    });
}
