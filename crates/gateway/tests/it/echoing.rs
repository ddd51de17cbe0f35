//! Providers that repeat the key that they were sent: the caller never gets to see it, wherever it stands.

use crate::rig::{Reply, Rig, SECRET, Wish, run};
use crate::upstream::Script;

/// `Bearer` and the key, in base64.
const IN_BASE64: &str = "QmVhcmVyIHNrLWN1c3RvbWVyLW93bi1rZXktN2YzYQ==";
const DELTA: &str = r#"{"id":"x","choices":[{"index":0,"delta":{"content":"twelve bytes"}}]}"#;
const ASK: &str = r#"{"model":"gpt-4o-mini","messages":[]}"#;
const JSON: &str = "content-type: application/json";

fn verbatim(head: String, body: &str) -> Script {
    Script::Verbatim { head, body: body.as_bytes().to_vec() }
}

/// The key as a careless provider may have written it.
fn forms() -> Vec<String> {
    vec![
        SECRET.to_owned(),
        format!("Bearer {SECRET}"),
        SECRET[..14].to_owned(),
        format!("{}***{}", &SECRET[..5], &SECRET[20..]),
        SECRET.to_uppercase(),
        IN_BASE64.to_owned(),
        SECRET.bytes().map(|byte| format!("{byte:02x}")).collect(),
        SECRET.bytes().map(|byte| format!("%{byte:02X}")).collect(),
    ]
}

fn assert_hidden(reply: &Reply, form: &str) {
    for told in [&reply.head, &reply.body] {
        let is_told = told.to_ascii_lowercase().contains(&form.to_ascii_lowercase());
        assert!(!is_told, "{form} is told: {}\n\n{}", reply.head, reply.body);
    }
}

#[test]
fn headers_that_repeat_the_key_do_not_come_back() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        for status in ["200 OK", "401 Unauthorized", "500 Broken"] {
            for form in forms() {
                let head = format!(
                    "{status}\r\n{JSON}\r\nwww-authenticate: Bearer realm=\"any\"\r\nx-debug-auth: {form}\r\nx-kept: 1\r\n\
                     x-request-id: {form}\r\nx-twice: innocent\r\nx-twice: {form}\r\nx-{SECRET}: 1\r\nproxy-status: a"
                );
                rig.upstream.now_does(verbatim(head, "{}"));
                let reply = rig.chat(ASK).await;
                assert_eq!(reply.status.to_string(), status[..3]);
                assert_hidden(&reply, &form);
                assert_hidden(&reply, SECRET);
                assert!(reply.head.contains("\r\nx-kept: 1"), "{}", reply.head);
                for gone in ["www-authenticate", "proxy-status", "x-twice", "x-upstream-request-id"] {
                    assert!(!reply.head.contains(gone), "{}", reply.head);
                }
            }
        }
    });
}

#[test]
fn errors_that_repeat_the_key_come_back_without_it_and_as_json() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let escaped = SECRET.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        for form in forms().into_iter().chain([escaped]) {
            let body = format!(r#"{{"error":{{"message":"Incorrect API key: {form}.","code":"bad"}}}}"#);
            rig.upstream.now_does(verbatim(format!("401 No\r\n{JSON}"), &body));
            let reply = rig.chat(ASK).await;
            assert_eq!((reply.status, reply.code().as_str()), (401, "bad"));
            assert_hidden(&reply, &form);
            let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(!message.contains(SECRET) && message.contains("[redacted]"), "{message}");
        }
    });
}

#[test]
fn an_error_that_cannot_be_read_is_told_in_our_own_words_with_its_status() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let body = format!(r#"{{"error":{{"message":"{SECRET}"}}}}"#);
        let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (line, body) in [
            ("content-encoding: gzip", body.as_bytes().to_vec()),
            ("content-encoding: identity\r\ncontent-encoding: br", body.as_bytes().to_vec()),
            ("content-language: en", wide),
        ] {
            let head = format!("429 No\r\n{JSON}\r\n{line}\r\nretry-after: 7");
            rig.upstream.now_does(Script::Verbatim { head, body });
            let reply = rig.chat(ASK).await;
            assert_eq!((reply.status, reply.code().as_str()), (429, "upstream_error"), "{line}");
            assert!(!reply.head.contains("content-encoding"), "{}", reply.head);
            assert!(reply.head.contains("retry-after: 7"), "{}", reply.head);
            assert!(reply.head.contains("x-topdog-error-source: upstream"), "{}", reply.head);
        }
        // An answer that is encoded though nobody asked could be such an error, too.
        let head = format!("200 OK\r\n{JSON}\r\ncontent-encoding: gzip");
        rig.upstream.now_does(verbatim(head, &body));
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_failed"));
    });
}

#[test]
fn an_error_with_a_successs_status_comes_back_without_the_key_and_at_its_length() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        for (kind, body) in [
            ("application/json", format!(r#"{{"error":{{"message":"bad {SECRET}","code":"bad"}}}}"#)),
            ("application/json; charset=utf-8", format!("\n{{ \"error\" : \"bad {SECRET}\" }}")),
            ("application/json", format!(r#"[{{"error":{{"message":"{IN_BASE64}"}}}}]"#)),
            ("application/json", format!(r#"{{"object":"error","message":"bad {SECRET}"}}"#)),
            ("text/plain", format!(r#"{{"error":"bad {SECRET}"}}"#)),
        ] {
            rig.upstream.now_does(verbatim(format!("200 OK\r\ncontent-type: {kind}"), &body));
            let reply = rig.chat(ASK).await;
            assert_eq!(reply.status, 200);
            assert_hidden(&reply, SECRET);
            assert_hidden(&reply, IN_BASE64);
            assert_eq!(reply.body.len(), body.len());
            assert!(reply.json().to_string().contains("[redacted]"), "{}", reply.body);
        }
    });
}

#[test]
fn an_error_with_a_successs_status_that_comes_in_pieces_is_waited_for() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let body = format!(r#"{{"error":{{"message":"bad {SECRET}","code":"bad"}}}}"#);
        for size in [1, 3, 25, 40] {
            let pieces = body.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
            rig.upstream.now_does(Script::Pieces { content_type: "application/json", pieces });
            let reply = rig.chat(ASK).await;
            assert_eq!(reply.code(), "bad");
            assert_hidden(&reply, SECRET);
        }
    });
}

#[test]
fn a_success_that_merely_speaks_of_errors_and_keys_passes_untouched() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let other = format!("{} and sk-another-key-1234567890", SECRET.to_uppercase());
        for body in [
            format!(r#"{{"id":"r","error":null,"output":[{{"text":"my key {other}"}}]}}"#),
            format!(r#"{{"choices":[{{"message":{{"content":"{{\"error\":\"{other}\"}}"}}}}]}}"#),
            format!("the key {other} in prose"),
        ] {
            rig.upstream.now_does(Script::json(&body));
            assert_eq!(rig.chat(ASK).await.body, body);
        }
    });
}

#[test]
fn a_success_that_repeats_the_key_comes_without_it_and_at_its_length() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let mask = format!("[redacted]{}", "*".repeat(SECRET.len() - "[redacted]".len()));
        let answer =
            format!(r#"{{"id":"r","error":null,"choices":[{{"message":{{"content":"{SECRET}"}}}}]}}"#);
        let long = answer.replace("content\":\"", &format!("content\":\"{}", "x".repeat(300 * 1024)));
        for (kind, body) in [
            ("application/json", answer.as_str()),
            ("application/json", long.as_str()),
            (
                "text/plain",
                &format!("so long that it can be no error, whatever stands in it: {SECRET}{SECRET}."),
            ),
        ] {
            rig.upstream.now_does(verbatim(format!("200 OK\r\ncontent-type: {kind}"), body));
            assert_eq!(rig.chat(ASK).await.body, body.replace(SECRET, &mask));
            for size in [1, 7, 1 << 16] {
                let pieces: Vec<_> = body.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
                if pieces.len() < 1000 {
                    rig.upstream.now_does(Script::Pieces { content_type: kind, pieces });
                    assert_eq!(rig.chat(ASK).await.body, body.replace(SECRET, &mask), "by {size}");
                }
            }
        }
    });
}

#[test]
fn a_stream_that_repeats_the_key_comes_without_it_however_it_is_cut() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let mask = format!("[redacted]{}", "*".repeat(SECRET.len() - "[redacted]".len()));
        let stream = format!(
            "data: {DELTA}\n\ndata: {}\n\n: {SECRET}\n\ndata: [DONE]\n\n",
            DELTA.replace("twelve bytes", &format!("s, sk-, {SECRET} and sk-customer-own-key"))
        );
        for size in [1, 7, 30, 1000] {
            for asks_usage in [false, true] {
                let pieces = stream.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
                rig.upstream.now_does(Script::Pieces { content_type: "text/event-stream", pieces });
                let ask = format!(
                    r#"{{"model":"gpt-4o-mini","stream":true,"stream_options":{{"include_usage":{asks_usage}}}}}"#
                );
                let reply = rig.chat(&ask).await;
                assert_eq!(reply.body, stream.replace(SECRET, &mask), "by {size}, with usage {asks_usage}");
            }
        }
    });
}

#[test]
fn failures_within_a_stream_come_without_the_key_however_they_are_cut() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let escaped: String = SECRET.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        for form in [SECRET, IN_BASE64, &escaped] {
            for failure in [
                format!(
                    r#"data: {{"error":{{"message":"Incorrect API key provided: {form}","code":"bad"}}}}"#
                ),
                format!(r#"data: {{"id":"x","error":{{"message":"bad {form}"}},"choices":[]}}"#),
                format!("event: error\ndata: {{\"message\":\"bad {form}\"}}"),
                format!("event: error\ndata: bad {form}"),
            ] {
                for size in [1, 7, 30, 1000] {
                    for asks_usage in [false, true] {
                        let stream = format!("data: {DELTA}\n\n{failure}\n\n");
                        let pieces = stream.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
                        rig.upstream.now_does(Script::Pieces { content_type: "text/event-stream", pieces });
                        let ask = format!(
                            r#"{{"model":"gpt-4o-mini","stream":true,"stream_options":{{"include_usage":{asks_usage}}}}}"#
                        );
                        let reply = rig.chat(&ask).await;
                        let expected = stream.replace(form, "[redacted]");
                        assert_eq!(reply.body, expected, "by {size}, with usage {asks_usage}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_response_that_failed_comes_without_the_key() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let created = r#"data: {"type":"response.created","response":{"id":"r","error":null}}"#;
        for failure in [
            format!(r#"data: {{"type":"error","code":"bad","message":"{SECRET}","sequence_number":1}}"#),
            format!(
                "event: response.failed\ndata: {{\"type\":\"response.failed\",\"response\":{{\"error\":{{\"message\":\"{SECRET}\"}}}}}}"
            ),
        ] {
            for size in [9, 1000] {
                let stream = format!("{created}\n\n{failure}\n\n");
                let pieces = stream.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
                rig.upstream.now_does(Script::Pieces { content_type: "text/event-stream", pieces });
                let reply = rig.post("/v1/responses", r#"{"model":"gpt-4o-mini","stream":true}"#).await;
                assert!(reply.body.starts_with(&stream.replace(SECRET, "[redacted]")), "{}", reply.body);
                assert_hidden(&reply, SECRET);
            }
        }
    });
}

#[test]
fn a_failure_too_long_to_be_read_is_told_in_our_own_words() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let long = format!(r#"{{"error":{{"message":"{}{SECRET}"}}}}"#, "x".repeat(300 * 1024));
        for size in [1000, 1 << 20] {
            let stream = format!("data: {DELTA}\n\ndata: {long}\n\n");
            let pieces = stream.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
            rig.upstream.now_does(Script::Pieces { content_type: "text/event-stream", pieces });
            let reply = rig.chat(r#"{"model":"gpt-4o-mini","stream":true}"#).await;
            assert_hidden(&reply, SECRET);
            assert!(reply.body.contains("upstream_error") && reply.body.len() < 1000, "{}", reply.body.len());
            let pieces = long.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
            rig.upstream.now_does(Script::Pieces { content_type: "application/json", pieces });
            let reply = rig.chat(ASK).await;
            assert!(reply.body.is_empty(), "the connection is broken off: {}", reply.body.len());
        }
        assert_eq!(rig.upstream.count(), 4);
    });
}
