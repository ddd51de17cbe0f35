//! Amazon Bedrock: what is signed, checked as Amazon checks it; binary streams; and what must not be sent.

use crate::rig::{Reply, Rig, Wish, run};
use crate::upstream::Script;
use aws_lc_rs::{digest, hmac};
use serde_json::{Value, json};
use topdog_domain::provider::{Manner, ProviderApi};
use topdog_domain::usage::{Outcome, UsageSource};
use topdog_wire::event_stream::{HeaderValue, encode};

const ID: &str = "AKIAEXAMPLEID7Q2";
const HALF: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQ==";
const CLAUDE: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
const ANSWER: &str = r#"{"metrics":{"latencyMs":1},"output":{"message":{"content":[{"text":"hello"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":7,"totalTokens":12,"cacheReadInputTokens":300,"cacheWriteInputTokens":20}}"#;

async fn rig(script: Script, secret: &str) -> Rig {
    let mut rig = Rig::start(Wish { tier: "TEAMS-SMALL", script, ..Wish::default() }).await;
    let manner = Manner::at(ProviderApi::Bedrock, "127.0.0.1", None, Some("eu-central-1")).unwrap();
    rig.endpoint("bedrock", "", manner, secret).await;
    rig
}

fn pair() -> String {
    format!("{ID}:{HALF}")
}

fn ask(model: &str, is_stream: bool) -> String {
    json!({"model": format!("bedrock/{model}"), "stream": is_stream, "messages": [{"role": "user", "content": "hi"}]})
        .to_string()
}

fn sent(rig: &Rig) -> (String, String) {
    let head = rig.upstream.seen.borrow().heads.last().unwrap().clone();
    (head, rig.upstream.last().1)
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let pairs = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    pairs.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Amazon's side of a signature: everything is taken from what came, and the secret half alone is known.
fn is_signed(head: &str, body: &str, half: &str) -> bool {
    let authorization = header(head, "authorization").unwrap();
    let (algorithm, rest) = authorization.split_once(' ').unwrap();
    let part = |name: &str| {
        let parts = rest.split(", ").filter_map(|part| part.split_once('='));
        parts.into_iter().find(|(n, _)| *n == name).unwrap().1
    };
    let (names, scope) = (part("SignedHeaders"), part("Credential").split_once('/').unwrap().1);
    let mut line = head.lines().next().unwrap().split(' ');
    let (method, path) = (line.next().unwrap(), line.next().unwrap());
    let path = path.replace('%', "%25");
    let covered: String =
        names.split(';').map(|name| format!("{name}:{}\n", header(head, name).unwrap())).collect();
    let hash = |text: &str| hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    let canonical = format!("{method}\n{path}\n\n{covered}\n{names}\n{}", hash(body));
    let text = format!("{algorithm}\n{}\n{scope}\n{}", header(head, "x-amz-date").unwrap(), hash(&canonical));
    let mut key = format!("AWS4{half}").into_bytes();
    for word in scope.split('/').chain([text.as_str()]) {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), word.as_bytes());
        key = tag.as_ref().to_vec();
    }
    hex(&key) == part("Signature")
}

#[test]
fn a_request_is_said_in_converse_and_signed() {
    run(async {
        let rig = rig(Script::json(ANSWER), &pair()).await;
        let reply = rig.chat(&ask(CLAUDE, false)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "hello");
        assert!(reply.head.contains("\r\nx-topdog-translation: bedrock_converse"), "{}", reply.head);
        let (head, body) = sent(&rig);
        let path = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
        assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
        assert!(is_signed(&head, &body, HALF), "{head}");
        assert!(!is_signed(&head, &format!("{body} "), HALF), "the body is covered");
        let credential = format!("Credential={ID}/20251125/eu-central-1/bedrock/aws4_request");
        assert!(header(&head, "authorization").unwrap().contains(&credential), "{head}");
        assert_eq!(header(&head, "x-amz-security-token"), None);
        assert!(!head.contains(HALF) && !body.contains(HALF), "what signs is never sent");
        assert!(!head.contains(&rig.token), "{head}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["messages"], json!([{"role": "user", "content": [{"text": "hi"}]}]));
        let record = &rig.records(1).await[0];
        assert_eq!((record.tokens.input, record.tokens.output, record.tokens.cache_read), (5, 7, 300));
        assert_eq!((record.source, record.outcome), (UsageSource::Provider, Outcome::Completed));
        assert_eq!(record.provider.as_str(), "bedrock");
    });
}

#[test]
fn a_sessions_token_goes_with_the_signature_and_is_covered() {
    run(async {
        let rig = rig(Script::json(ANSWER), &format!("{}:{SESSION}", pair())).await;
        assert_eq!(rig.chat(&ask(CLAUDE, false)).await.status, 200);
        let (head, body) = sent(&rig);
        assert_eq!(header(&head, "x-amz-security-token"), Some(SESSION));
        assert!(head.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"), "{head}");
        assert!(is_signed(&head, &body, HALF), "{head}");
    });
}

#[test]
fn a_bearer_key_goes_as_one() {
    run(async {
        let key = "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxlLWF0LTEyMzQ1Njc4OTAxMg==";
        let rig = rig(Script::json(ANSWER), key).await;
        assert_eq!(rig.chat(&ask(CLAUDE, false)).await.status, 200);
        let (head, _) = sent(&rig);
        assert_eq!(header(&head, "authorization"), Some(format!("Bearer {key}").as_str()));
        assert_eq!(header(&head, "x-amz-date"), None);
    });
}

#[test]
fn a_models_name_is_one_segment_of_the_path_or_none() {
    run(async {
        let rig = rig(Script::json(ANSWER), &pair()).await;
        for name in [
            "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-3-haiku-20240307-v1:0",
            "evil.com#",
            "a@evil.com",
            "x/../../y",
            "//evil.com/x",
            "a?b=c",
            "a%2fb",
        ] {
            let before = rig.upstream.count();
            let reply = rig.chat(&ask(name, false)).await;
            if reply.status != 200 {
                assert_eq!((reply.status, rig.upstream.count()), (400, before), "{name}: {}", reply.body);
                continue;
            }
            let (head, body) = sent(&rig);
            let path = head.split(' ').nth(1).unwrap();
            let inner = path.strip_prefix("/model/").unwrap().strip_suffix("/converse").unwrap();
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
            assert!(inner.bytes().all(is_plain), "{path}");
            assert_eq!(header(&head, "host"), Some(rig.upstream.address.to_string().as_str()));
            assert!(is_signed(&head, &body, HALF), "{head}");
        }
        for name in ["..", "a\r\nx: y"] {
            let before = rig.upstream.count();
            let reply = rig.chat(&ask(name, false)).await;
            assert_eq!((reply.status, rig.upstream.count()), (400, before), "{name}: {}", reply.body);
        }
    });
}

fn frame(kind: &str, name: &str, payload: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let of_name = if kind == "event" { ":event-type" } else { ":exception-type" };
    let headers = [
        (of_name, HeaderValue::Text(name)),
        (":content-type", HeaderValue::Text("application/json")),
        (":message-type", HeaderValue::Text(kind)),
    ];
    encode(&headers, payload.to_string().as_bytes(), &mut out).unwrap();
    out
}

fn beginning() -> Vec<u8> {
    [
        frame("event", "messageStart", &json!({"role": "assistant"})),
        frame("event", "contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "hel"}})),
        frame("event", "contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "lo"}})),
    ]
    .concat()
}

fn end() -> Vec<u8> {
    [
        frame("event", "contentBlockStop", &json!({"contentBlockIndex": 0})),
        frame("event", "messageStop", &json!({"stopReason": "end_turn"})),
        frame(
            "event",
            "metadata",
            &json!({"usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}, "metrics": {"latencyMs": 1}}),
        ),
    ]
    .concat()
}

fn streamed(bytes: &[u8], piece: usize) -> Script {
    let pieces = bytes.chunks(piece).map(<[u8]>::to_vec).collect();
    Script::Pieces { content_type: "application/vnd.amazon.eventstream", pieces }
}

fn text_of(reply: &Reply) -> String {
    let events = reply.body.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    events.map(|e| e["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_binary_stream_is_told_as_the_callers_wherever_it_is_cut() {
    run(async {
        let stream = [beginning(), end()].concat();
        let rig = rig(Script::Close, &pair()).await;
        for (count, piece) in [1, 7, 64, 8192].into_iter().enumerate() {
            rig.upstream.now_does(streamed(&stream, piece));
            let reply = rig.chat(&ask(CLAUDE, true)).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert!(reply.head.contains("\r\ncontent-type: text/event-stream\r\n"), "{}", reply.head);
            assert_eq!(text_of(&reply), "hello", "{}", reply.body);
            assert!(reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);
            let (head, body) = sent(&rig);
            assert!(
                head.contains("/converse-stream HTTP/1.1\r\n") && is_signed(&head, &body, HALF),
                "{head}"
            );
            let record = rig.records(count + 1).await.pop().unwrap();
            assert_eq!((record.tokens.input, record.tokens.output), (5, 7), "what comes behind the stop");
            assert_eq!(record.outcome, Outcome::Completed);
        }
    });
}

#[test]
fn a_stream_that_fails_is_damaged_or_ends_early_has_no_clean_end() {
    run(async {
        let throttled = frame(
            "exception",
            "throttlingException",
            &json!({"message": format!("Too many requests for {ID}")}),
        );
        let mut damaged = [beginning(), end()].concat();
        let last = damaged.len() - 40;
        damaged[last] ^= 1;
        let rig = rig(Script::Close, &pair()).await;
        for (count, stream) in [
            [beginning(), throttled].concat(),
            damaged,
            beginning(),
            [beginning(), end()[..20].to_vec()].concat(),
        ]
        .into_iter()
        .enumerate()
        {
            rig.upstream.now_does(streamed(&stream, 50));
            let reply = rig.chat(&ask(CLAUDE, true)).await;
            assert_eq!(text_of(&reply), "hello", "{}", reply.body);
            assert!(!reply.body.contains("[DONE]") && reply.body.contains("\"error\""), "{}", reply.body);
            assert!(!reply.body.contains(ID), "{}", reply.body);
            let record = rig.records(count + 1).await.pop().unwrap();
            assert_ne!(record.outcome, Outcome::Completed);
        }
    });
}

#[test]
fn errors_keep_their_class_and_no_part_of_the_key() {
    run(async {
        let rig = rig(Script::Close, &format!("{}:{SESSION}", pair())).await;
        for (status, kind, told) in [
            (429, "ThrottlingException", 429),
            (403, "AccessDeniedException", 403),
            (400, "ValidationException", 400),
        ] {
            let body = json!({"message": format!("no: {ID} / {SESSION}\nx-amz-security-token:{SESSION}")});
            rig.upstream.now_does(Script::Verbatim {
                head: format!(
                    "{status} X\r\ncontent-type: application/json\r\nx-amzn-errortype: {kind}:http://x/\r\nx-amzn-requestid: amazons-id"
                ),
                body: body.to_string().into_bytes(),
            });
            let reply = rig.chat(&ask(CLAUDE, false)).await;
            assert_eq!(reply.status, told, "{}", reply.body);
            assert!(
                reply.json()["error"]["message"].as_str().unwrap().contains("[redacted]"),
                "{}",
                reply.body
            );
            assert!(!reply.body.contains(ID) && !reply.body.contains(&SESSION[..12]), "{}", reply.body);
            assert!(reply.head.contains("\r\nx-upstream-request-id: amazons-id"), "{}", reply.head);
        }
    });
}

#[test]
fn what_converse_does_not_have_is_refused() {
    run(async {
        let rig = rig(Script::json(ANSWER), &pair()).await;
        for path in
            ["/v1/embeddings", "/v1/completions", "/v1/images/generations", "/v1/messages/count_tokens"]
        {
            let reply = rig.post(path, &ask(CLAUDE, false)).await;
            assert_eq!(reply.status, 400, "{path}: {}", reply.body);
        }
        assert_eq!(rig.upstream.count(), 0);
    });
}

#[test]
fn nothing_is_passed_through_to_a_model_that_only_the_path_names() {
    run(async {
        let rig = rig(Script::json(ANSWER), &pair()).await;
        for path in ["/providers/bedrock/model/dear/converse", "/providers/bedrock/model/dear/invoke"] {
            let reply = rig.post(path, r#"{"model":"cheap","messages":[]}"#).await;
            assert_eq!((reply.status, reply.code().as_str()), (400, "operation_unsupported"), "{path}");
        }
        assert_eq!(rig.upstream.count(), 0);
    });
}
