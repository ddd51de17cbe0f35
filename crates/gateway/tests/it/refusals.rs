//! Bad input: a clear 4xx in the dialect, nothing changed, nothing leaked.

use crate::rig::{Rig, Wish, run};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use topdog_domain::Timestamp;
use topdog_domain::api_key::Scope;

#[test]
fn bad_bodies() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        for (body, status, code) in [
            ("", 400, "invalid_json"),
            ("{\"model\":", 400, "invalid_json"),
            ("[1]", 400, "invalid_json"),
            ("{\"model\":\"gpt-4o\",\"model\":\"o3\"}", 400, "duplicate_parameter"),
            ("{\"model\":\"gpt-4o\",\"mod\\u0065l\":\"o3\"}", 400, "duplicate_parameter"),
            ("{\"model\":7}", 400, "invalid_type"),
            ("{\"model\":\"gpt-4o\",\"stream\":\"yes\"}", 400, "invalid_type"),
            ("{\"messages\":[]}", 400, "missing_required_parameter"),
            ("{\"model\":\"\"}", 404, "model_not_found"),
            ("{\"model\":\"no-such-model\"}", 404, "model_not_found"),
            ("{\"model\":\"llama-3.3-70b-versatile\"}", 404, "ambiguous_model"),
            ("{\"model\":\"a\\r\\nx: y/b\"}", 400, "invalid_model"),
            ("{\"model\":\"openai/a\\r\\nx: y\"}", 400, "invalid_model"),
            ("{\"model\":\"../../etc/passwd\"}", 404, "model_not_found"),
            ("{\"model\":\"anthropic/claude\"}", 400, "invalid_value"),
            ("{\"model\":\"cohere/command\"}", 403, "tier_limit"),
        ] {
            let reply = rig.chat(body).await;
            assert_eq!((reply.status, reply.code().as_str()), (status, code), "{body}: {}", reply.body);
            assert!(!reply.json()["error"]["message"].as_str().unwrap().is_empty());
            assert!(reply.head.contains("x-request-id: req_"));
        }
        let deep = format!("{{\"model\":\"gpt-4o\",\"x\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(rig.chat(&deep).await.status, 400);
        let large = format!("{{\"model\":\"gpt-4o\",\"x\":\"{}\"}}", "y".repeat(1 << 20));
        assert_eq!(rig.chat(&large).await.code(), "body_too_large");
        assert_eq!(rig.upstream.count(), 0);
        assert!(rig.admitted().is_empty(), "nothing was admitted");
        let logged = rig.spool.requests();
        assert!(logged.len() >= 14 && logged.iter().all(|r| r.error_code.is_some() && r.tokens.total() == 0));
        let near = rig.chat(r#"{"model":"gpt-4o-mni"}"#).await;
        assert!(near.body.contains("gpt-4o-mini"), "{}", near.body);
    });
}

#[test]
fn bad_keys_all_sound_the_same() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let ask = |line: String| {
            let rig = &rig;
            async move {
                let body = r#"{"model":"gpt-4o-mini"}"#;
                rig.raw(&format!("POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\n{line}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await
            }
        };
        assert_eq!(ask(String::new()).await.code(), "missing_api_key");
        let mut wrong = rig.token.clone();
        wrong.replace_range(30..31, if &wrong[30..31] == "a" { "b" } else { "a" });
        for header in [
            "authorization: Bearer sk-not-ours",
            "authorization: Basic abc",
            "x-api-key: ",
            "api-key: td_live_short",
        ] {
            let reply = ask(format!("{header}\r\n")).await;
            assert_eq!((reply.status, reply.code().as_str()), (401, "invalid_api_key"), "{header}");
        }
        let reply = ask(format!("authorization: Bearer {wrong}\r\n")).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "invalid_api_key"));
        for second in ["x-api-key: bogus", "authorization: Bearer bogus"] {
            let both = format!("authorization: Bearer {}\r\n{second}\r\n", rig.token);
            assert_eq!(ask(both).await.status, 401, "{second}");
        }
        let twice = format!("authorization: Bearer {0}\r\nx-api-key: {0}\r\n", rig.token);
        assert_eq!(ask(twice).await.status, 200, "the same key twice is one key");
        for header in ["x-api-key", "api-key", "x-goog-api-key"] {
            assert_eq!(ask(format!("{header}: {}\r\n", rig.token)).await.status, 200, "{header}");
        }
    });
}

#[test]
fn a_key_is_held_to_its_bounds_at_the_next_request() {
    run(async {
        let mut rig = Rig::start(Wish::default()).await;
        let body = r#"{"model":"gpt-4o-mini"}"#;
        assert_eq!(rig.chat(body).await.status, 200);
        rig.change(|f| f.api_keys[0].models = vec!["openai/o3".into()]);
        assert_eq!(rig.chat(body).await.code(), "model_not_allowed");
        let listed = rig.get("/v1/models").await.json();
        let ids: Vec<_> =
            listed["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids, ["openai/o3"], "models lists what the key may use");
        assert_eq!(rig.get("/v1/models/openai%2Fo3").await.status, 200);
        assert_eq!(rig.get("/v1/models/openai%2Fgpt-4o").await.status, 404);
        rig.change(|f| {
            f.api_keys[0].models.clear();
            f.api_keys[0].ip_allow = vec!["10.0.0.0/8".parse().unwrap()];
        });
        assert_eq!(rig.chat(body).await.code(), "ip_not_allowed");
        rig.change(|f| {
            f.api_keys[0].ip_allow.clear();
            f.api_keys[0].scopes = vec![Scope::UsageRead];
        });
        assert_eq!(rig.chat(body).await.code(), "scope_missing");
        rig.change(|f| {
            f.api_keys[0].scopes = vec![Scope::Llm];
            f.api_keys[0].expires_at = Some(Timestamp::from_micros(5));
        });
        assert_eq!(
            (rig.chat(body).await.status, rig.chat(body).await.code().as_str()),
            (401, "expired_api_key")
        );
        rig.change(|f| f.api_keys.clear());
        assert_eq!(rig.chat(body).await.code(), "invalid_api_key", "revoked");
    });
}

#[test]
fn a_key_goes_to_the_origin_it_was_brought_for_and_to_no_other() {
    run(async {
        let mut rig = Rig::start(Wish::default()).await;
        let body = r#"{"model":"gpt-4o-mini"}"#;
        rig.change(|f| f.provider_keys[0].origin = "https://api.openai.com".into());
        let reply = rig.chat(body).await;
        assert_eq!(reply.code(), "provider_key_unreadable");
        assert_eq!(rig.upstream.count(), 0);
        assert!(rig.spool.audits().iter().any(|a| a.action == "provider_key.open"
            && a.detail.get("reason").is_some_and(|r| r == "origin_changed")));
        assert_eq!(rig.records(1).await[0].error_code.as_deref(), Some("provider_key_unreadable"));
    });
}

#[test]
fn paths_and_methods() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        assert_eq!(rig.get("/v1/chat/completions").await.status, 405);
        assert_eq!(rig.post("/v1/models", "{}").await.status, 405);
        for path in ["/v1/no/such", "/v1", "/chat/completions", "//v1/chat/completions", "/messages"] {
            let reply = rig.post(path, "{}").await;
            assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{path}");
            assert!(reply.body.contains("ends in /v1"), "{}", reply.body);
        }
        assert_eq!(rig.get("/v1/models/%zz").await.status, 404);
        let audio = rig.post("/v1/audio/transcriptions", "{}").await;
        assert_eq!((audio.status, audio.code().as_str()), (415, "unsupported_media_type"));
    });
}

#[test]
fn slow_bodies_and_oversized_heads_are_ended() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let mut stream = rig.connect().await;
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{",
            rig.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        assert!(
            String::from_utf8_lossy(&bytes).starts_with("HTTP/1.1 408"),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        let mut stream = rig.connect().await;
        stream.write_all(b"POST /v1/chat").await.unwrap();
        let mut bytes = Vec::new();
        let began = std::time::Instant::now();
        let _ = stream.read_to_end(&mut bytes).await;
        assert!(began.elapsed() < std::time::Duration::from_secs(3), "a slow head is cut off");
        let reply = rig.raw_with(&format!("x-long: {}", "y".repeat(70_000))).await;
        assert_eq!(reply.status, 431);
        assert_eq!(rig.upstream.count(), 0);
    });
}

#[test]
fn http2_is_as_strict_about_hosts_and_expectations_as_http1() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let io = TokioIo::new(rig.connect().await);
        let client = http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) = client.handshake(io).await.unwrap();
        tokio::task::spawn_local(connection);
        let mut ask = async |uri: &'static str, headers: &[(&'static str, &'static str)]| {
            let mut request =
                http::Request::post(uri).header("authorization", format!("Bearer {}", rig.token));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let body = Full::new(Bytes::from_static(b"{\"model\":\"openai/gpt-4o\"}"));
            let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
            assert!(answer.headers().contains_key("x-request-id"));
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice::<serde_json::Value>(&body).unwrap())
        };
        const CHAT: &str = "http://td/v1/chat/completions";
        for (uri, headers) in [
            (CHAT, &[("host", "other")] as &[_]),
            (CHAT, &[("host", "td"), ("host", "td")]),
            (CHAT, &[("host", "u@td")]),
            ("http://u@td/v1/chat/completions", &[]),
        ] {
            let (status, body) = ask(uri, headers).await;
            assert_eq!(
                (status, &body["error"]["code"]),
                (400, &"malformed_request".into()),
                "{uri} {headers:?}"
            );
        }
        let (status, body) = ask(CHAT, &[("expect", "the-unexpected")]).await;
        assert_eq!((status, &body["error"]["code"]), (417, &"expectation_failed".into()));
        let (status, problem) = ask("http://td/api/v1/tiers", &[("host", "other")]).await;
        assert_eq!((status, &problem["status"]), (400, &400.into()), "the management API's shape: {problem}");
        assert_eq!(rig.upstream.count(), 0);
        for headers in [&[("host", "TD")] as &[_], &[("expect", "100-continue")], &[]] {
            assert_eq!(ask(CHAT, headers).await.0, 200, "{headers:?}");
        }
        assert_eq!(rig.upstream.count(), 3);
    });
}
