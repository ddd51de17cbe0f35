//! Streams of providers that speak another dialect: translated as they pass, and never a clean end that was none.

use crate::rig::{Rig, Wish, run, secret_for};
use crate::upstream::Script;
use serde_json::{Value, json};
use std::time::Duration;
use topdog_domain::directory::OrgFacts;
use topdog_domain::labels::DataSegment;
use topdog_domain::provider::Family;
use topdog_domain::usage::{Outcome, TokenUsage, UsageSource};

const TIER: &str = "ENTERPRISE-STANDARD";

/// The events of one stream, as a provider of that dialect sends them: two pieces of text, then usage of 5 and 15.
fn events(family: Family) -> Vec<String> {
    let named = |name: &str, data: Value| format!("event: {name}\ndata: {data}\n\n");
    let plain = |data: Value| format!("data: {data}\n\n");
    match family {
        Family::Anthropic => vec![
            named(
                "message_start",
                json!({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":1}}}),
            ),
            named(
                "content_block_start",
                json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
            ),
            named(
                "content_block_delta",
                json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"twelve bytes"}}),
            ),
            named("ping", json!({"type":"ping"})),
            named(
                "content_block_delta",
                json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" and more"}}),
            ),
            named("content_block_stop", json!({"type":"content_block_stop","index":0})),
            named(
                "message_delta",
                json!({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}),
            ),
            named("message_stop", json!({"type":"message_stop"})),
        ],
        Family::OpenAi => vec![
            plain(
                json!({"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}),
            ),
            plain(
                json!({"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"twelve bytes"},"finish_reason":null}],"usage":null}),
            ),
            plain(
                json!({"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":" and more"},"finish_reason":null}],"usage":null}),
            ),
            plain(
                json!({"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}),
            ),
            plain(
                json!({"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":15,"total_tokens":20}}),
            ),
            "data: [DONE]\n\n".to_owned(),
        ],
        Family::Cohere => vec![
            named(
                "message-start",
                json!({"type":"message-start","id":"c1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}),
            ),
            named(
                "content-start",
                json!({"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}),
            ),
            named(
                "content-delta",
                json!({"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"twelve bytes"}}}}),
            ),
            named(
                "content-delta",
                json!({"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" and more"}}}}),
            ),
            named("content-end", json!({"type":"content-end","index":0})),
            named(
                "message-end",
                json!({"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":5,"output_tokens":15},"tokens":{"input_tokens":70,"output_tokens":15}}}}),
            ),
        ],
        Family::Gemini => vec![
            plain(
                json!({"candidates":[{"content":{"role":"model","parts":[{"text":"twelve bytes"}]},"index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8},"modelVersion":"gemini-2.5-flash","responseId":"g"}),
            ),
            plain(
                json!({"candidates":[{"content":{"role":"model","parts":[{"text":" and more"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":15,"totalTokenCount":20},"modelVersion":"gemini-2.5-flash","responseId":"g"}),
            ),
        ],
    }
}

const fn model(family: Family) -> &'static str {
    match family {
        Family::OpenAi => "openai/gpt-4o",
        Family::Anthropic => "anthropic/claude-sonnet-4-5",
        Family::Cohere => "cohere/command-a-03-2025",
        Family::Gemini => "gemini/gemini-2.5-flash",
    }
}

fn streaming(events: &[String]) -> Script {
    let pieces = events.iter().map(|event| event.as_bytes().to_vec()).collect();
    Script::Chunks { pieces, pause: Duration::from_millis(2), has_end: true }
}

fn wish(script: Script) -> Wish {
    Wish { tier: TIER, script, ..Wish::default() }
}

fn ask(family: Family) -> String {
    json!({
        "model": model(family), "stream": true, "max_tokens": 99,
        "messages": [{"role": "user", "content": "hi"}],
    })
    .to_string()
}

/// The data of a stream's events.
fn data(stream: &str) -> Vec<Value> {
    stream.lines().filter_map(|line| line.strip_prefix("data: ")?.parse().ok()).collect()
}

/// The text of a chat's chunks.
fn text_of_chat(stream: &str) -> String {
    data(stream)
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_chat_is_streamed_from_providers_of_every_dialect() {
    run(async {
        for family in [Family::Anthropic, Family::Cohere, Family::Gemini] {
            let rig = Rig::start(wish(streaming(&events(family)))).await;
            let reply = rig.chat(&ask(family)).await;
            assert_eq!(
                (reply.status, text_of_chat(&reply.body).as_str()),
                (200, "twelve bytes and more"),
                "{}",
                reply.body
            );
            assert!(
                reply.body.ends_with("data: [DONE]\n\n") && !reply.body.contains("event:"),
                "{}",
                reply.body
            );
            assert!(!reply.body.contains("\"usage\":{"), "nobody asked for usage: {}", reply.body);
            assert!(reply.head.contains("content-type: text/event-stream"), "{}", reply.head);
            let (head, body) = rig.upstream.last();
            if family == Family::Gemini {
                let path = "post /v1beta/models/gemini-2.5-flash:streamgeneratecontent?alt=sse http";
                assert!(head.starts_with(path), "{head}");
            } else {
                assert!(body.contains("\"stream\":true"), "{body}");
            }
            let record = &rig.records(1).await[0];
            assert_eq!((record.tokens.input, record.tokens.output), (5, 15), "{family:?}");
            assert_eq!(
                (record.source, record.outcome),
                (UsageSource::Provider, Outcome::Completed),
                "{family:?}"
            );
            let asked = ask(family)
                .replace("\"stream\":true", r#""stream":true,"stream_options":{"include_usage":true}"#);
            let reply = rig.chat(&asked).await;
            let told = data(&reply.body);
            assert_eq!(told.last().unwrap()["usage"]["completion_tokens"], 15, "{}", reply.body);
        }
    });
}

#[test]
fn messages_and_responses_are_streamed_from_others() {
    run(async {
        for family in [Family::OpenAi, Family::Cohere, Family::Gemini] {
            let rig = Rig::start(wish(streaming(&events(family)))).await;
            let reply = rig.messages("/v1/messages", "", &ask(family)).await;
            let told = data(&reply.body);
            let text: String =
                told.iter().filter_map(|e| e["delta"]["text"].as_str().map(str::to_owned)).collect();
            assert_eq!((reply.status, text.as_str()), (200, "twelve bytes and more"), "{}", reply.body);
            assert!(reply.body.starts_with("event: message_start\n"), "{}", reply.body);
            assert!(reply.body.trim_end().ends_with(r#"data: {"type":"message_stop"}"#), "{}", reply.body);
            let record = &rig.records(1).await[0];
            assert_eq!((record.tokens.input, record.tokens.output), (5, 15), "{family:?}");
            assert_eq!(record.outcome, Outcome::Completed, "{family:?}");
        }
        let rig = Rig::start(wish(streaming(&events(Family::Anthropic)))).await;
        let asked = json!({"model": model(Family::Anthropic), "stream": true, "input": "hi"}).to_string();
        let reply = rig.post("/v1/responses", &asked).await;
        let told = data(&reply.body);
        assert_eq!(told.last().unwrap()["type"], "response.completed", "{}", reply.body);
        assert_eq!(told.last().unwrap()["response"]["usage"]["output_tokens"], 15, "{}", reply.body);
        assert_eq!(
            rig.records(1).await[0].tokens,
            TokenUsage { input: 5, output: 15, ..TokenUsage::default() }
        );
    });
}

#[test]
fn dribbled_byte_by_byte_it_is_the_same() {
    run(async {
        for family in [Family::Anthropic, Family::Cohere, Family::Gemini] {
            let whole = events(family).concat();
            let pieces = whole.bytes().map(|byte| vec![byte]).collect();
            let rig = Rig::start(wish(Script::Pieces { content_type: "text/event-stream", pieces })).await;
            let reply = rig.chat(&ask(family)).await;
            assert_eq!(text_of_chat(&reply.body), "twelve bytes and more", "{}", reply.body);
            assert!(reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);
            let record = &rig.records(1).await[0];
            assert_eq!((record.tokens.output, record.outcome), (15, Outcome::Completed), "{family:?}");
        }
    });
}

#[test]
fn tools_are_streamed() {
    run(async {
        let all = events(Family::Anthropic);
        let named = |name: &str, data: Value| format!("event: {name}\ndata: {data}\n\n");
        let mut calls = vec![all[0].clone()];
        calls.push(named("content_block_start", json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}})));
        for part in ["{\"ci", "ty\":\"Ulm\"}"] {
            calls.push(named("content_block_delta", json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":part}})));
        }
        calls.push(all[5].clone());
        calls.push(all[6].replace("end_turn", "tool_use"));
        calls.push(all[7].clone());
        let rig = Rig::start(wish(streaming(&calls))).await;
        let reply = rig.chat(&ask(Family::Anthropic)).await;
        let told = data(&reply.body);
        let deltas = || told.iter().map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]);
        let arguments: String =
            deltas().filter_map(|call| call["function"]["arguments"].as_str().map(str::to_owned)).collect();
        assert_eq!(arguments, r#"{"city":"Ulm"}"#, "{}", reply.body);
        assert!(deltas().any(|call| call["id"] == "toolu_1" && call["function"]["name"] == "weather"));
        assert!(
            told.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == "tool_calls"),
            "{}",
            reply.body
        );
    });
}

#[test]
fn a_provider_that_dies_in_its_stream_never_looks_like_a_success() {
    run(async {
        for family in Family::ALL {
            let all = events(family);
            // Whatever is missing of it. Gemini's end is its last event's reason; OpenAI's and Anthropic's are events.
            for left in 1..all.len() {
                let mut torn = all[..left].to_vec();
                torn.push(all[left][..all[left].len() / 2].to_owned());
                for script in [streaming(&all[..left]), streaming(&all[..left]).dying(), streaming(&torn)] {
                    let rig = Rig::start(wish(script)).await;
                    let is_chat = family != Family::OpenAi;
                    let reply = if is_chat {
                        rig.chat(&ask(family)).await
                    } else {
                        rig.messages("/v1/messages", "", &ask(family)).await
                    };
                    let end = if is_chat { "[DONE]" } else { "message_stop" };
                    assert!(!reply.body.contains(end), "{family:?} {left}: {}", reply.body);
                    let failures =
                        data(&reply.body).iter().filter(|event| event.get("error").is_some()).count();
                    assert_eq!(failures, 1, "{family:?} {left}: {}", reply.body);
                    let record = &rig.records(1).await[0];
                    assert_eq!(
                        (record.outcome, record.is_counted),
                        (Outcome::UpstreamFailed, true),
                        "{family:?} {left}"
                    );
                    assert_eq!(record.error_code.as_deref(), Some("upstream_failed"), "{family:?} {left}");
                }
            }
        }
    });
}

#[test]
fn responses_hear_of_a_death_too() {
    run(async {
        let rig = Rig::start(wish(streaming(&events(Family::Anthropic)[..4]))).await;
        let asked = json!({"model": model(Family::Anthropic), "stream": true, "input": "hi"}).to_string();
        let reply = rig.post("/v1/responses", &asked).await;
        let told = data(&reply.body);
        assert_eq!(told.last().unwrap()["type"], "response.failed", "{}", reply.body);
        assert!(!reply.body.contains("response.completed"), "{}", reply.body);
        assert!(reply.body.contains("broke off its answer; try again (request req_"), "{}", reply.body);
        let numbers: Vec<_> = told.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        let begun = told[0]["response"]["id"].clone();
        assert_eq!(told.last().unwrap()["response"]["id"], begun, "{}", reply.body);
    });
}

#[test]
fn a_failure_within_a_stream_is_told_once_and_without_the_key() {
    run(async {
        let secret = secret_for(Family::Anthropic);
        let error = json!({"type":"error","error":{"type":"overloaded_error","message":format!("{secret} is overloaded")}});
        let mut failing = events(Family::Anthropic)[..3].to_vec();
        failing.push(format!("event: error\ndata: {error}\n\n"));
        let rig = Rig::start(wish(streaming(&failing))).await;
        let reply = rig.chat(&ask(Family::Anthropic)).await;
        assert!(!reply.body.contains("[DONE]") && !reply.body.contains(secret), "{}", reply.body);
        let failures: Vec<_> =
            data(&reply.body).into_iter().filter(|event| event.get("error").is_some()).collect();
        assert_eq!(failures.len(), 1, "{}", reply.body);
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.is_counted), (Outcome::UpstreamError, true));
        assert_eq!(record.tokens.input, 5, "what was told before counts");
    });
}

#[test]
fn a_silent_provider_is_given_up_in_the_callers_words() {
    run(async {
        let script = Script::Chunks {
            pieces: events(Family::Anthropic)[..3].iter().map(|e| e.as_bytes().to_vec()).collect(),
            pause: Duration::from_secs(30),
            has_end: true,
        };
        let config =
            |c: &mut topdog_gateway::GatewayConfig| c.upstream_idle_timeout = Duration::from_millis(150);
        let rig = Rig::start(Wish { config, ..wish(script) }).await;
        let reply = rig.chat(&ask(Family::Anthropic)).await;
        assert!(reply.body.contains("upstream_timeout") && !reply.body.contains("[DONE]"), "{}", reply.body);
    });
}

#[test]
fn what_is_no_stream_is_a_502() {
    run(async {
        let script =
            Script::Answer { status: 200, content_type: "text/plain", body: "data: x\n\n".to_owned() };
        let rig = Rig::start(wish(script)).await;
        let reply = rig.chat(&ask(Family::Anthropic)).await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_failed"), "{}", reply.body);
    });
}

#[test]
fn events_go_on_as_they_come_and_a_slow_reader_holds_the_provider_back() {
    run(async {
        let all = events(Family::Anthropic);
        let long = all[2].replace("twelve bytes", &"x".repeat(16_000));
        let mut many = vec![all[0].clone(), all[1].clone(), all[2].clone()];
        many.extend(vec![long; 4000]);
        let pieces = many.iter().map(|event| event.as_bytes().to_vec()).collect();
        let rig = Rig::start(wish(Script::Chunks { pieces, pause: Duration::ZERO, has_end: true })).await;
        let body = ask(Family::Anthropic);
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nx-api-key: {}\r\ncontent-length: {}\r\n\r\n{body}",
            rig.token,
            body.len()
        );
        let stream = rig.heard_of(&head, "twelve bytes").await;
        rig.upstream.is_held_back().await;
        drop(stream);
        let record = &rig.records(1).await[0];
        // 64 MB were on offer. Loopback's socket buffers take some MB; the rest must not have been read.
        assert!(record.bytes_out < 16_000_000, "{} bytes were taken in", record.bytes_out);
        assert_eq!((record.outcome, record.is_counted), (Outcome::ClientGone, true));
        assert_eq!(record.tokens.input, 5, "what the provider told so far");
        assert_eq!(
            record.source,
            UsageSource::Estimated,
            "it had told no more of the output than its beginning"
        );
        assert!(record.tokens.output > 3, "{:?}", record.tokens);
    });
}

#[test]
fn an_event_without_an_end_takes_no_more_than_the_organisations_share() {
    run(async {
        let mut pieces = vec![events(Family::Anthropic)[0].clone().into_bytes()];
        pieces.push(b"event: content_block_delta\ndata: {\"type\":\"".to_vec());
        pieces.extend(vec![vec![b'x'; 64 * 1024]; 64]);
        let config = |c: &mut topdog_gateway::GatewayConfig| c.limits.body_bytes_per_organisation = 1 << 20;
        let script = Script::Chunks { pieces, pause: Duration::ZERO, has_end: true };
        let rig = Rig::start(Wish { config, ..wish(script) }).await;
        let reply = rig.chat(&ask(Family::Anthropic)).await;
        assert!(reply.body.contains("\"overloaded\"") && !reply.body.contains("[DONE]"), "{}", reply.body);
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.is_counted), (Outcome::InternalError, true));
        rig.upstream.now_does(streaming(&events(Family::Anthropic)));
        let reply = rig.chat(&ask(Family::Anthropic)).await;
        assert!(reply.body.ends_with("data: [DONE]\n\n"), "all is given back: {}", reply.body);
    });
}

#[test]
fn the_last_event_of_a_regulated_stream_waits_for_its_record() {
    run(async {
        for family in [Family::Anthropic, Family::Gemini] {
            let facts = |f: &mut OrgFacts| f.organisation.data_segment = Some(DataSegment::Medical);
            let rig = Rig::start(Wish { facts, ..wish(streaming(&[])) }).await;
            let pieces: Vec<_> = events(family).iter().map(|event| event.as_bytes().to_vec()).collect();
            let pause = Duration::from_millis(400 / pieces.len() as u64);
            rig.upstream.now_does(Script::Chunks { pieces, pause, has_end: true });
            let spool = rig.spool.clone();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(Duration::from_millis(150)).await;
                spool.set_healthy(false);
            });
            let reply = rig.chat(&ask(family)).await;
            assert!(!reply.body.contains("[DONE]"), "not before its record is kept: {}", reply.body);
            assert!(reply.body.contains("records_unavailable"), "{}", reply.body);
        }
    });
}
