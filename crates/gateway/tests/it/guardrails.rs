//! Guardrails on the way of a request: what they find is redacted, flagged or kept back, in what is said and answered,
//! whole and in streams, however it is written.

use crate::rig::{Reply, Rig, Wish, run};
use crate::upstream::Script;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::fakes::samples;
use topdog_domain::policy::{Policy, PolicyInForce, PolicyScope};
use topdog_domain::usage::{Outcome, UsageSource};

const KEY: &str = "sk-proj-0123456789abcdefABCDEF";

async fn rig(rules: Value) -> Rig {
    guarded(json!({ "rules": rules })).await
}

async fn guarded(guardrails: Value) -> Rig {
    let mut rig = Rig::start(Wish { tier: "TEAMS-SMALL", ..Wish::default() }).await;
    let policy = Policy::stored(&json!({ "guardrails": guardrails }).to_string()).expect("a good policy");
    rig.change(|facts| {
        facts.policies = vec![PolicyInForce {
            scope: PolicyScope::Organisation,
            version: 1,
            since: samples::NEW_YEAR,
            policy: Some(Arc::new(policy)),
        }];
    });
    rig
}

fn redact() -> Value {
    json!([{"name": "data", "action": "redact", "detect": ["secret", "email", "card"]}])
}

fn block() -> Value {
    json!([
        {"name": "keys", "action": "block", "detect": ["secret"]},
        {"name": "words", "action": "block", "keywords": ["project x"]},
    ])
}

fn chat(content: &str) -> String {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]}).to_string()
}

fn delta(content: &str) -> String {
    json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": content}}]})
        .to_string()
}

/// What a chat stream's client has been told by its deltas.
fn said(reply: &Reply) -> String {
    let events = reply.body.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    events.filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

fn stream(pieces: &[&str]) -> Script {
    let mut events: Vec<String> = pieces.iter().map(|piece| delta(piece)).collect();
    events.push(r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned());
    events.push("[DONE]".to_owned());
    Script::stream(&events.iter().map(String::as_str).collect::<Vec<_>>())
}

fn streaming(content: &str) -> String {
    chat(content).replace("{\"m", "{\"stream\":true,\"m")
}

#[test]
fn only_what_is_found_of_a_request_is_changed() {
    run(async {
        let rig = rig(redact()).await;
        let body = format!(
            r#"{{ "model":"gpt-4o-mini", "x" : 1.50, "messages":[{{"content":"caf\u00e9 {KEY}, a@b.io","role":"user"}}] }}"#
        );
        assert_eq!(rig.chat(&body).await.status, 200);
        let sent = rig.upstream.last().1;
        assert_eq!(
            sent,
            r#"{ "model":"gpt-4o-mini", "x" : 1.50, "messages":[{"content":"café [redacted:data], [redacted:data]","role":"user"}] }"#
        );
        let untouched = r#"{ "model":"gpt-4o-mini","messages":[{"content":"caf\u00e9\/","role":"user"}] }"#;
        assert_eq!(rig.chat(untouched).await.status, 200);
        assert_eq!(rig.upstream.last().1, untouched);
    });
}

#[test]
fn nothing_gets_past_by_the_way_it_is_written() {
    run(async {
        let rig = rig(redact()).await;
        let (head, tail) = KEY.split_at(9);
        let escaped: String = KEY.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
        let parts = |parts: &[&str]| {
            let parts: Vec<_> = parts.iter().map(|text| json!({"type": "text", "text": text})).collect();
            json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": parts}]}).to_string()
        };
        let arguments = json!({"to": "a@b.io", "key": KEY}).to_string().replace('@', "\\u0040");
        for body in [
            chat("KEY").replace("KEY", &escaped),
            chat("KEY").replace("KEY", &format!("\\ud800{KEY}")),
            chat("KEY").replace(r#""content":"KEY""#, &format!(r#""cont\u0065nt":"{KEY}""#)),
            chat("KEY").replace(r#""content":"KEY""#, &format!(r#""content":"{KEY}","content":"{KEY}""#)),
            parts(&[head, tail]),
            parts(&["x ", &KEY[..2], &KEY[2..11], &KEY[11..]]),
            parts(&[head, tail]).replace(r#""text":"#, r#""t\u0065xt":"#),
            json!({"model": "gpt-4o-mini", "messages": [{"role": "assistant", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}]}]})
            .to_string(),
            json!({"model": "gpt-4o-mini", "tools": [{"type": "function", "function": {"name": "f", "description": KEY,
                "parameters": {"type": "object", "properties": {"a": {"type": "string", "enum": [KEY]}}}}}]})
            .to_string(),
            json!({"model": "gpt-4o-mini", "user": KEY, "metadata": {"customer_id": KEY}}).to_string(),
            json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": [
                {"type": "file", "file": {"file_data": format!("data:text/plain;base64,{KEY}")}}]}]})
            .to_string(),
            json!({"model": "gpt-4o-mini", "field_of_tomorrow": [[{"deep": [KEY]}]]}).to_string(),
        ] {
            assert_eq!(rig.chat(&body).await.status, 200, "{body}");
            let sent = rig.upstream.last().1;
            let read: Value = serde_json::from_str(&sent.replace("\\ud800", "")).unwrap_or_else(|_| panic!("{sent}"));
            let sent = read.to_string();
            assert!(!sent.contains(tail) && !sent.contains("u0040"), "{body} was sent as {sent}");
            assert!(sent.contains("[redacted:data]"), "{sent}");
        }
        let call = json!({"model": "gpt-4o-mini", "messages": [{"role": "assistant", "tool_calls": [
            {"id": "call_4111111111111111", "type": "function", "function": {"name": "f", "arguments": arguments}}]}]});
        rig.chat(&call.to_string()).await;
        let sent: Value = serde_json::from_str(&rig.upstream.last().1).unwrap();
        let told = &sent["messages"][0]["tool_calls"][0];
        assert_eq!(told["id"], "call_4111111111111111", "what only tells things apart stays");
        let arguments: Value = serde_json::from_str(told["function"]["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(arguments, json!({"to": "[redacted:data]", "key": "[redacted:data]"}));
    });
}

#[test]
fn every_dialect_and_translation_is_judged() {
    run(async {
        let rig = rig(redact()).await;
        let message = json!([{"role": "user", "content": format!("see {KEY}")}]);
        for (path, body) in [
            ("/v1/chat/completions", json!({"model": "openai/gpt-4o-mini", "messages": message})),
            (
                "/v1/chat/completions",
                json!({"model": "anthropic/claude-x", "messages": message, "max_tokens": 9}),
            ),
            ("/v1/chat/completions", json!({"model": "gemini/gemini-x", "messages": message})),
            ("/v1/chat/completions", json!({"model": "cohere/command-x", "messages": message})),
            ("/v1/completions", json!({"model": "openai/gpt-3.5-turbo-instruct", "prompt": ["a", KEY]})),
            ("/v1/responses", json!({"model": "openai/gpt-4o-mini", "instructions": KEY, "input": message})),
            ("/v1/embeddings", json!({"model": "openai/text-embedding-3-small", "input": [KEY]})),
            (
                "/v1/messages",
                json!({"model": "anthropic/claude-x", "max_tokens": 9, "system": KEY, "messages": message}),
            ),
            (
                "/v1/messages",
                json!({"model": "openai/gpt-4o-mini", "max_tokens": 9, "system": KEY, "messages": message}),
            ),
            ("/v1/moderations", json!({"model": "openai/omni-moderation-latest", "input": KEY})),
            ("/v1/images/generations", json!({"model": "openai/dall-e-3", "prompt": KEY})),
            ("/v1/audio/speech", json!({"model": "openai/tts-1", "voice": "a", "input": KEY})),
        ] {
            let before = rig.upstream.count();
            rig.post(path, &body.to_string()).await;
            assert_eq!(rig.upstream.count(), before + 1, "{path} {body}");
            let sent = rig.upstream.last().1;
            assert!(!sent.contains(KEY) && sent.contains("[redacted:data]"), "{path} {body}: {sent}");
        }
    });
}

#[test]
fn a_blocked_request_reaches_nobody_and_counts_nothing() {
    run(async {
        let rig = rig(block()).await;
        let reply = rig.chat(&chat("what is PROJECT\n X?")).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "guardrail_blocked"), "{}", reply.body);
        assert!(reply.head.contains("x-topdog-error-source: gateway"), "{}", reply.head);
        let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("`words` of your organisation"), "{message}");
        let body = json!({"model": "anthropic/claude-x", "max_tokens": 1, "messages": [{"role": "user", "content": KEY}]});
        let reply = rig.messages("/v1/messages", "", &body.to_string()).await;
        assert_eq!((reply.status, &reply.json()["type"]), (400, &json!("error")), "{}", reply.body);
        assert!(!reply.body.contains(KEY));
        assert_eq!(rig.upstream.count(), 0);
        assert!(rig.admitted().is_empty(), "no LLM request is counted");
        let told: Vec<_> = rig.spool.requests().into_iter().map(|record| record.guardrails).collect();
        assert_eq!(told, [Some("input block words 1".into()), Some("input block keys 1".into())]);
        let metrics = rig.metrics.encode();
        assert!(metrics.contains(r#"on="input",action="block"} 2"#), "{metrics}");
        assert_eq!(rig.chat(&chat("what is a project? x")).await.status, 200);
    });
}

#[test]
fn more_text_than_the_limit_is_refused() {
    run(async {
        let rig = guarded(json!({"max_input_bytes": 50})).await;
        assert_eq!(rig.chat(&chat(&"x".repeat(50))).await.status, 200);
        let reply = rig.chat(&chat(&"x".repeat(51))).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "guardrail_blocked"));
        assert!(reply.body.contains("50 bytes"), "{}", reply.body);
    });
}

#[test]
fn an_answer_is_redacted_as_its_dialect_and_else_as_it_was() {
    run(async {
        let rig = rig(redact()).await;
        let answer = |content: &str| {
            format!(
                r#"{{"id":"c_1", "choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}}}}],"usage":{{"prompt_tokens":5,"completion_tokens":7}} }}"#
            )
        };
        rig.upstream.now_does(Script::json(&answer(&format!("It is {KEY}\\u002e"))));
        let reply = rig.chat(&chat("?")).await;
        assert_eq!(reply.body, answer("It is [redacted:data]."));
        assert!(reply.head.contains(&format!("content-length: {}", reply.body.len())), "{}", reply.head);
        rig.upstream.now_does(Script::json(&answer("caf\\u00e9")));
        assert_eq!(rig.chat(&chat("?")).await.body, answer("caf\\u00e9"));
        let body = json!({"model": "openai/gpt-4o-mini", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]});
        rig.upstream.now_does(Script::json(&answer(KEY)));
        let reply = rig.messages("/v1/messages", "", &body.to_string()).await;
        assert_eq!(reply.json()["content"][0]["text"], "[redacted:data]", "{}", reply.body);
        let records = rig.records(3).await;
        assert!(
            records.iter().all(|record| record.tokens.output == 7 && record.outcome == Outcome::Completed)
        );
    });
}

#[test]
fn a_blocked_answer_is_an_error_and_counts() {
    run(async {
        let rig = rig(block()).await;
        let answer = json!({"choices": [{"message": {"content": format!("take {KEY}")}}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7}});
        for content_type in ["application/json", "text/plain; charset=utf-8"] {
            rig.upstream.now_does(Script::Answer { status: 200, content_type, body: answer.to_string() });
            let reply = rig.chat(&chat("?")).await;
            assert_eq!((reply.status, reply.code().as_str()), (400, "guardrail_blocked"), "{}", reply.body);
            assert!(!reply.body.contains(KEY) && reply.body.contains("`keys`"), "{}", reply.body);
        }
        let records = rig.records(2).await;
        let record = &records[0];
        assert_eq!((record.outcome, record.status, record.is_counted), (Outcome::Blocked, 400, true));
        assert_eq!((record.tokens.output, record.source), (7, UsageSource::Provider));
        assert_eq!(record.error_code.as_deref(), Some("guardrail_blocked"));
        let metrics = rig.metrics.encode();
        assert!(metrics.contains(r#"topdog_guardrail_matches_total{plan="Pro",data_segment="general",on="output",action="block"} 2"#), "{metrics}");
        assert!(metrics.contains(r#"outcome="blocked"} 2"#), "{metrics}");
    });
}

#[test]
fn a_long_answer_is_judged_to_its_end() {
    run(async {
        let rig = rig(redact()).await;
        let long = "word ".repeat(80_000);
        let body = json!({"choices": [{"message": {"content": format!("{long}{KEY}")}}]}).to_string();
        rig.upstream.now_does(Script::Pieces {
            content_type: "application/json",
            pieces: body.as_bytes().chunks(50_000).map(<[u8]>::to_vec).collect(),
        });
        let reply = rig.chat(&chat("?")).await;
        assert_eq!(reply.json()["choices"][0]["message"]["content"], format!("{long}[redacted:data]"));
    });
}

#[test]
fn a_stream_is_redacted_across_its_events() {
    run(async {
        let rig = rig(redact()).await;
        let singly: Vec<String> = format!("mail a@b.io or {KEY}, bye").chars().map(String::from).collect();
        for pieces in [
            vec!["mail a@b.io or ", KEY, ", bye"],
            vec!["mail a", "@", "b.io or sk-pr", &KEY[5..20], "", &KEY[20..], ", bye"],
            singly.iter().map(String::as_str).collect(),
        ] {
            rig.upstream.now_does(stream(&pieces));
            let reply = rig.chat(&streaming("?")).await;
            assert_eq!(said(&reply), "mail [redacted:data] or [redacted:data], bye", "{}", reply.body);
            let end = "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
            assert!(reply.body.ends_with(end), "{}", reply.body);
        }
        rig.upstream.now_does(stream(&["nothing ", "to find"]));
        let reply = rig.chat(&streaming("?")).await;
        let unchanged = format!("data: {}\n\ndata: {}\n\n", delta("nothing "), delta("to find"));
        assert!(reply.body.starts_with(&unchanged), "{}", reply.body);
    });
}

#[test]
fn places_of_a_stream_are_told_apart() {
    run(async {
        let rig = rig(redact()).await;
        let choice = |index: u8, member: &str, text: &str| {
            json!({"choices": [{"delta": {member: text}, "index": index}]}).to_string()
        };
        let (head, tail) = KEY.split_at(9);
        let events = [
            choice(0, "content", head),
            choice(1, "content", "one "),
            choice(0, "reasoning_content", "think "),
            choice(0, "content", tail),
            choice(1, "content", head),
            choice(1, "content", "two"),
            "[DONE]".to_owned(),
        ];
        rig.upstream.now_does(Script::stream(&events.each_ref().map(String::as_str)));
        let reply = rig.chat(&streaming("?")).await;
        let events = reply.body.lines().filter_map(|line| line.strip_prefix("data: "));
        let events: Vec<Value> = events.filter_map(|data| serde_json::from_str(data).ok()).collect();
        let of = |index: u8, member: &str| -> String {
            let of_place =
                events.iter().map(|event| &event["choices"][0]).filter(|choice| choice["index"] == index);
            of_place.filter_map(|choice| choice["delta"][member].as_str()).collect()
        };
        assert_eq!(of(0, "content"), "[redacted:data]");
        assert_eq!(of(0, "reasoning_content"), "think ");
        assert_eq!(of(1, "content"), format!("one {head}two"));
    });
}

#[test]
fn streams_of_every_dialect_are_judged() {
    run(async {
        let rig = rig(redact()).await;
        let (head, tail) = KEY.split_at(12);
        let anthropic = [
            json!({"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": head}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": tail}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}),
            json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": format!("{{\"k\":\"{head}")}}),
            json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": format!("{tail}\"}}")}}),
            json!({"type": "content_block_stop", "index": 1}),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
            json!({"type": "message_stop"}),
        ];
        let named = |events: &[Value]| Script::Chunks {
            pieces: events
                .iter()
                .map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap()).into_bytes())
                .collect(),
            pause: Duration::from_millis(1),
            has_end: true,
        };
        let body = |model: &str| {
            json!({"model": model, "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "?"}]}).to_string()
        };
        rig.upstream.now_does(named(&anthropic));
        let reply = rig.messages("/v1/messages", "", &body("anthropic/claude-x")).await;
        assert!(
            !reply.body.contains(tail) && reply.body.matches("[redacted:data]").count() == 2,
            "{}",
            reply.body
        );
        assert!(
            reply.body.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
            "{}",
            reply.body
        );
        let reply = rig.chat(&body("anthropic/claude-x")).await;
        assert!(
            !reply.body.contains(tail) && reply.body.matches("[redacted:data]").count() == 2,
            "{}",
            reply.body
        );
        assert!(reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);

        let text = format!("{head}{tail}");
        let responses = [
            json!({"type": "response.created", "sequence_number": 0, "response": {"id": "r", "object": "response", "output": []}}),
            json!({"type": "response.output_text.delta", "sequence_number": 1, "delta": head, "output_index": 0, "content_index": 0, "item_id": "i"}),
            json!({"type": "response.output_text.delta", "sequence_number": 2, "delta": tail, "output_index": 0, "content_index": 0, "item_id": "i"}),
            json!({"type": "response.output_text.done", "sequence_number": 3, "text": text, "output_index": 0, "content_index": 0, "item_id": "i"}),
            json!({"type": "response.completed", "sequence_number": 4, "response": {"id": "r", "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}], "usage": {"input_tokens": 1, "output_tokens": 2}}}),
        ];
        rig.upstream.now_does(named(&responses));
        let reply = rig
            .post(
                "/v1/responses",
                &json!({"model": "openai/gpt-4o-mini", "input": "?", "stream": true}).to_string(),
            )
            .await;
        assert!(
            !reply.body.contains(tail) && reply.body.matches("[redacted:data]").count() == 3,
            "{}",
            reply.body
        );
        let completions: Vec<String> = [head, tail]
            .iter()
            .map(|text| json!({"choices": [{"text": text, "index": 0}]}).to_string())
            .chain(["[DONE]".to_owned()])
            .collect();
        rig.upstream.now_does(Script::stream(&completions.iter().map(String::as_str).collect::<Vec<_>>()));
        let reply = rig
            .post(
                "/v1/completions",
                &json!({"model": "openai/gpt-3.5-turbo-instruct", "prompt": "?", "stream": true}).to_string(),
            )
            .await;
        assert!(!reply.body.contains(tail) && reply.body.contains("[redacted:data]"), "{}", reply.body);
    });
}

#[test]
fn a_blocked_stream_ends_as_a_failure_and_its_provider_is_left() {
    run(async {
        let rig = rig(block()).await;
        let (head, tail) = KEY.split_at(9);
        let mut pieces = vec![
            "Well, this is a long beginning which no rule minds, and here it comes: ".repeat(4),
            head.to_owned(),
            tail.to_owned(),
        ];
        pieces.extend((0..400).map(|n| format!(" word{n}")));
        rig.upstream.now_does(stream(&pieces.iter().map(String::as_str).collect::<Vec<_>>()));
        let reply = rig.chat(&streaming("?")).await;
        assert_eq!(reply.status, 200);
        assert!(said(&reply).starts_with("Well"), "what came before has gone out: {}", reply.body);
        assert!(!reply.body.contains(tail) && !reply.body.contains("[DONE]"), "{}", reply.body);
        assert!(
            reply.body.contains(r#""code":"guardrail_blocked""#) && reply.body.contains("`keys`"),
            "{}",
            reply.body
        );
        let records = rig.records(1).await;
        assert_eq!((records[0].outcome, records[0].is_counted), (Outcome::Blocked, true));
        assert_eq!(records[0].guardrails.as_deref(), Some("output block keys 1"));
        assert_eq!(records[0].error_code.as_deref(), Some("guardrail_blocked"));
        assert!(rig.upstream.seen.borrow().chunks < 300, "the provider went on to its end");
    });
}

#[test]
fn what_is_found_at_the_very_end_of_a_stream_is_kept_back() {
    run(async {
        let rig = rig(block()).await;
        for pieces in [vec!["it is project", " x"], vec!["", "project x"]] {
            rig.upstream.now_does(stream(&pieces));
            let reply = rig.chat(&streaming("?")).await;
            assert!(reply.body.contains("guardrail_blocked"), "{}", reply.body);
            assert!(!reply.body.contains("project\"") && !reply.body.contains("[DONE]"), "{}", reply.body);
        }
    });
}

#[test]
fn tokens_can_not_tell_what_is_redacted() {
    run(async {
        let rig = rig(redact()).await;
        let with = |field: &str, value: Value| {
            let mut body: Value = serde_json::from_str(&chat("?")).unwrap();
            body[field] = value;
            body.to_string()
        };
        for body in [with("logprobs", json!(true)), with("top_logprobs", json!(2))] {
            let reply = rig.chat(&body).await;
            assert_eq!((reply.status, reply.code().as_str()), (400, "guardrail_blocked"), "{}", reply.body);
            assert!(reply.body.contains("logprobs"), "{}", reply.body);
        }
        for body in [with("logprobs", json!(false)), with("logprobs", json!(null))] {
            assert_eq!(rig.chat(&body).await.status, 200);
        }
    });
}

#[test]
fn a_flag_changes_nothing_and_is_counted() {
    run(async {
        let rig = rig(json!([{"name": "mail", "action": "flag", "detect": ["email"]}])).await;
        rig.upstream.now_does(stream(&["write to c@", "d.io"]));
        let reply = rig.chat(&streaming("a@b.io")).await;
        assert_eq!(said(&reply), "write to c@d.io");
        assert!(rig.upstream.last().1.contains("a@b.io"));
        let records = rig.records(1).await;
        assert_eq!(records[0].guardrails.as_deref(), Some("input flag mail 1, output flag mail 1"));
        let metrics = rig.metrics.encode();
        for side in ["input", "output"] {
            assert!(metrics.contains(&format!(r#"on="{side}",action="flag"}} 1"#)), "{metrics}");
        }
    });
}

#[test]
fn the_test_provider_is_judged_like_any() {
    run(async {
        let rig = rig(json!([
            {"name": "in", "action": "redact", "on": "input", "detect": ["email"]},
            {"name": "out", "action": "redact", "on": "output", "keywords": ["zebra"]},
        ]))
        .await;
        for body in [chat("a zebra, a@b.io"), streaming("a zebra, a@b.io")] {
            let reply = rig.chat(&body.replace("gpt-4o-mini", "test/echo")).await;
            assert_eq!(reply.status, 200);
            assert!(!reply.body.contains("zebra") && !reply.body.contains("b.io"), "{}", reply.body);
        }
    });
}

#[test]
fn requests_of_others_have_their_turn_while_much_is_judged() {
    run(async {
        let rules: Vec<Value> = (0..20)
            .map(|n| json!({"name": format!("r{n}"), "action": "flag", "pattern": format!("[a-z]{{1,9}}[0-9]{{1,4}}{n}x")}))
            .collect();
        let rig = rig(json!(rules)).await;
        let body = chat(&"abcdefgh 1234 ".repeat(40_000));
        let long = rig.chat(&body);
        let mut turns = 0;
        let counting = async {
            loop {
                tokio::task::yield_now().await;
                turns += 1;
            }
        };
        tokio::select! {
            reply = long => assert_eq!(reply.status, 200),
            () = counting => {}
        }
        assert!(turns > 100, "others had {turns} turns");
    });
}

#[test]
fn what_is_tried_elsewhere_has_been_judged_too() {
    run(async {
        let mut rig = Rig::start(Wish { tier: "TEAMS-SMALL", ..Wish::default() }).await;
        rig.change(|facts| {
            crate::policies::of_org(
                facts,
                &json!({
                    "guardrails": {"rules": redact()},
                    "routes": [{"for": ["*"], "fallbacks": ["anthropic/claude-haiku-4-5"], "on": ["server_error"]}],
                })
                .to_string(),
            );
        });
        rig.upstream.now_does(Script::Answer {
            status: 500,
            content_type: "application/json",
            body: r#"{"error":{"message":"no"}}"#.to_owned(),
        });
        rig.chat(&chat(KEY)).await;
        let seen = rig.upstream.seen.borrow();
        assert_eq!(seen.requests.len(), 2);
        for (_, body) in &seen.requests {
            assert!(!body.contains(KEY) && body.contains("[redacted:data]"), "{body}");
        }
    });
}

#[test]
fn callers_of_cohere_and_gemini_are_judged_in_their_own_shapes() {
    run(async {
        let rig = rig(redact()).await;
        let (head, tail) = KEY.split_at(12);
        let part = |text: &str| json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}]});
        let mut last = part("!");
        last["candidates"][0]["finishReason"] = json!("STOP");
        let pieces = [part(head).to_string(), part(tail).to_string(), last.to_string()];
        rig.upstream.now_does(Script::stream(&pieces.each_ref().map(String::as_str)));
        let body =
            json!({"contents": [{"role": "user", "parts": [{"text": head}, {"text": tail}]}]}).to_string();
        for (path, is_array) in [("?alt=sse", false), ("", true)] {
            let path = format!("/v1beta/models/gemini%2Fgemini-2.5-flash:streamGenerateContent{path}");
            let reply = rig.post(&path, &body).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert!(!reply.body.contains(tail) && reply.body.contains("[redacted:data]"), "{}", reply.body);
            assert_eq!(reply.body.trim_start().starts_with('['), is_array, "{}", reply.body);
            assert!(!rig.upstream.last().1.contains(tail), "{}", rig.upstream.last().1);
        }
        let delta = |text: &str| {
            json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}})
                .to_string()
        };
        let end = json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}).to_string();
        let pieces = [delta(head), delta(tail), end];
        rig.upstream.now_does(Script::stream(&pieces.each_ref().map(String::as_str)));
        let body = json!({"model": "cohere/command-r", "stream": true, "messages": [{"role": "user", "content": KEY}]});
        let reply = rig.post("/v2/chat", &body.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(!reply.body.contains(tail) && reply.body.contains("[redacted:data]"), "{}", reply.body);
        assert!(!rig.upstream.last().1.contains(KEY));
    });
}
