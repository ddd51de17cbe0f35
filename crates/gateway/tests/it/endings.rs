//! How answers end: whole, broken off by the provider, left by the client. Each settles once.

use crate::rig::{Rig, Wish, run};
use crate::upstream::Script;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use topdog_domain::usage::{Outcome, RequestRecord, UsageSource};

const DELTA: &str = r#"{"id":"x","choices":[{"index":0,"delta":{"content":"twelve bytes"}}]}"#;
const LAST: &str = r#"{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#;
const ASK: &str = r#"{"model":"gpt-4o-mini","messages":[],"stream":true}"#;

fn streaming(events: &[&str]) -> Wish {
    Wish { script: Script::stream(events), ..Wish::default() }
}

fn head_of(rig: &Rig, body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        rig.token,
        body.len()
    )
}

#[test]
fn a_stream_is_relayed_without_the_usage_chunk_that_nobody_asked_for() {
    run(async {
        let rig = Rig::start(streaming(&[DELTA, LAST, USAGE, "[DONE]"])).await;
        let reply = rig.chat(ASK).await;
        assert_eq!(reply.body, format!("data: {DELTA}\n\ndata: {LAST}\n\ndata: [DONE]\n\n"));
        assert!(rig.upstream.last().1.contains(r#""stream_options":{"include_usage":true}"#));
        let record = &rig.records(1).await[0];
        assert_eq!((record.tokens.input, record.tokens.output, record.source), (5, 7, UsageSource::Provider));
        assert_eq!(record.outcome, Outcome::Completed);
        let asked = rig.chat(&ASK.replace("true}", r#"true,"stream_options":{"include_usage":true}}"#)).await;
        assert!(asked.body.contains(USAGE), "{}", asked.body);
    });
}

#[test]
fn a_provider_that_dies_in_its_stream_never_looks_like_a_success() {
    run(async {
        for script in [
            Script::stream(&[DELTA]).dying(),
            Script::stream(&[DELTA]),
            Script::stream(&[DELTA, LAST, USAGE]),
        ] {
            let rig = Rig::start(Wish { script, ..Wish::default() }).await;
            let reply = rig.chat(ASK).await;
            assert!(reply.body.contains("twelve bytes"));
            assert!(!reply.body.contains("[DONE]"), "{}", reply.body);
            assert!(
                reply.body.contains(r#"data: {"error":"#) && reply.body.contains("upstream_failed"),
                "{}",
                reply.body
            );
            let record = &rig.records(1).await[0];
            assert_eq!((record.outcome, record.is_counted), (Outcome::UpstreamFailed, true));
            assert_eq!(record.error_code.as_deref(), Some("upstream_failed"));
        }
    });
}

#[test]
fn a_stream_settles_at_its_last_word_whenever_its_provider_closes_it() {
    run(async {
        let said = format!("data: {DELTA}\n\ndata: {LAST}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n");
        let pieces = vec![said.into_bytes(), b": still here\n\n".to_vec()];
        let script = Script::Chunks { pieces, pause: Duration::from_secs(600), has_end: true };
        let rig = Rig::start(Wish { script, ..Wish::default() }).await;
        let stream = rig.heard_of(&head_of(&rig, ASK), "[DONE]").await;
        let record = rig.records(1).await.remove(0);
        assert_eq!((record.outcome, record.status, record.tokens.output), (Outcome::Completed, 200, 7));
        drop(stream);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(rig.records(1).await.len(), 1);
    });
}

#[test]
fn a_provider_that_goes_on_behind_its_last_word_is_left() {
    run(async {
        let mut pieces = vec![format!("data: {DELTA}\n\ndata: [DONE]\n\n").into_bytes()];
        pieces.extend(vec![format!(": {}\n\n", "x".repeat(500)).into_bytes(); 10_000]);
        let script = Script::Chunks { pieces, pause: Duration::from_millis(1), has_end: true };
        let rig = Rig::start(Wish { script, ..Wish::default() }).await;
        let reply = rig.chat(ASK).await;
        assert!(reply.body.len() < 6 * 1024, "{} bytes", reply.body.len());
        assert_eq!(rig.records(1).await[0].outcome, Outcome::Completed);
    });
}

#[test]
fn nothing_is_told_behind_a_streams_last_word() {
    run(async {
        let script = Script::stream(&[DELTA, LAST, USAGE, "[DONE]"]).dying();
        let rig = Rig::start(Wish { script, ..Wish::default() }).await;
        let reply = rig.chat(ASK).await;
        assert_eq!(reply.body, format!("data: {DELTA}\n\ndata: {LAST}\n\ndata: [DONE]\n\n"));
        assert_eq!(rig.records(1).await[0].outcome, Outcome::Completed);
    });
}

#[test]
fn a_stream_s_key_is_audited_before_the_stream_begins_and_once() {
    run(async {
        let many = vec![DELTA; 10_000];
        let rig = Rig::start(streaming(&many)).await;
        let stream = rig.heard_of(&head_of(&rig, ASK), "twelve bytes").await;
        let uses = || rig.spool.audits().iter().filter(|a| a.action == "provider_key.use").count();
        assert_eq!(uses(), 1);
        drop(stream);
        assert!(rig.records(1).await[0].unaudited_key_use().is_none());
    });
}

#[test]
fn what_a_provider_claims_to_have_used_stays_within_belief() {
    run(async {
        let usage = r#"{"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":1}}"#;
        let rig = Rig::start(Wish { script: Script::json(usage), ..Wish::default() }).await;
        rig.chat(r#"{"model":"gpt-4o-mini","messages":[],"max_tokens":-1}"#).await;
        rig.chat(r#"{"model":"gpt-4o-mini","messages":[],"max_tokens":1e3}"#).await;
        let records = rig.records(2).await;
        assert!(records.iter().all(|record| record.tokens.input == 1_000_000_000));
    });
}

#[test]
fn a_client_that_leaves_a_stream_cancels_the_provider_and_is_counted() {
    run(async {
        let many = vec![DELTA; 10_000];
        let rig = Rig::start(streaming(&many)).await;
        let stream = rig.heard_of(&head_of(&rig, ASK), "twelve bytes").await;
        drop(stream);
        let left = Instant::now();
        let record = &rig.records(1).await[0];
        while rig.upstream.seen.borrow().closed_at.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(left.elapsed() < Duration::from_secs(2), "the provider was never cancelled");
        }
        let cancelled = rig.upstream.seen.borrow().closed_at[0].duration_since(left);
        assert!(cancelled < Duration::from_millis(100), "cancelled after {cancelled:?}");
        assert_eq!(
            (record.outcome, record.is_counted, record.source),
            (Outcome::ClientGone, true, UsageSource::Estimated)
        );
        assert!(record.tokens.output >= 3, "what was delivered is estimated: {:?}", record.tokens);
    });
}

#[test]
fn a_client_that_leaves_before_the_answer_cancels_the_provider_too() {
    run(async {
        let rig = Rig::start(Wish { script: Script::Silence, ..Wish::default() }).await;
        let mut stream = rig.connect().await;
        stream.write_all(head_of(&rig, r#"{"model":"gpt-4o-mini"}"#).as_bytes()).await.unwrap();
        while rig.upstream.count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(stream);
        let left = Instant::now();
        while rig.upstream.seen.borrow().closed_at.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(left.elapsed() < Duration::from_secs(2), "the provider was never cancelled");
        }
        let cancelled = rig.upstream.seen.borrow().closed_at[0].duration_since(left);
        assert!(cancelled < Duration::from_millis(100), "cancelled after {cancelled:?}");
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.status), (Outcome::ClientGone, 499));
    });
}

#[test]
fn a_slow_reader_holds_the_provider_back_and_not_our_memory() {
    run(async {
        let event = format!("data: {}\n\n", DELTA.replace("twelve bytes", &"x".repeat(16_000)));
        let pieces = vec![event.into_bytes(); 4000];
        let script = Script::Chunks { pieces, pause: Duration::ZERO, has_end: true };
        let rig = Rig::start(Wish { script, ..Wish::default() }).await;
        let mut stream = rig.connect().await;
        stream.write_all(head_of(&rig, ASK).as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(stream);
        let record = &rig.records(1).await[0];
        // 64 MB were on offer. Loopback's socket buffers take some MB; the rest must not have been read.
        assert!(record.bytes_out < 16_000_000, "{} bytes were taken in", record.bytes_out);
    });
}

#[test]
fn a_silent_provider_is_given_up() {
    run(async {
        let wish = Wish {
            script: Script::Chunks {
                pieces: vec![format!("data: {DELTA}\n\n").into_bytes(), b"x".to_vec()],
                pause: Duration::from_secs(30),
                has_end: true,
            },
            config: |c| c.upstream_idle_timeout = Duration::from_millis(150),
            ..Wish::default()
        };
        let rig = Rig::start(wish).await;
        let reply = rig.chat(ASK).await;
        assert!(reply.body.contains("upstream_timeout") && !reply.body.contains("[DONE]"), "{}", reply.body);
        let wish = Wish {
            script: Script::Silence,
            config: |c| c.upstream_head_timeout = Duration::from_millis(150),
            ..Wish::default()
        };
        let rig = Rig::start(wish).await;
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, reply.code().as_str()), (504, "upstream_timeout"));
    });
}

#[test]
fn an_error_of_the_provider_is_relayed_without_any_key_in_it() {
    run(async {
        let body = r#"{"error":{"message":"Incorrect API key provided: sk-cust****7f3a.","type":"invalid_request_error","code":"invalid_api_key"}}"#;
        let script = Script::Answer { status: 401, content_type: "application/json", body: body.into() };
        let rig = Rig::start(Wish { script, ..Wish::default() }).await;
        let reply = rig.chat(r#"{"model":"gpt-4o-mini"}"#).await;
        assert_eq!(reply.status, 401);
        assert!(reply.head.contains("x-topdog-error-source: upstream"));
        assert!(!reply.body.contains("sk-cust") && !reply.body.contains("7f3a"), "{}", reply.body);
        assert_eq!(reply.code(), "invalid_api_key", "the rest stays readable");
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.is_counted, record.status), (Outcome::UpstreamError, false, 401));
    });
}

#[test]
fn a_provider_that_can_not_be_reached_is_a_502() {
    run(async {
        let wish = Wish {
            config: |c| {
                let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
                let base = topdog_egress::BaseUrl::parse(&format!("http://{gone}/v1")).unwrap();
                c.providers.push(topdog_gateway::ProviderConfig {
                    name: topdog_domain::provider::ProviderName::parse("mistral").unwrap(),
                    base,
                    manner: topdog_domain::provider::Manner::default(),
                    takes_stream_options: true,
                });
            },
            ..Wish::default()
        };
        let mut rig = Rig::start(wish).await;
        rig.change(|f| {
            f.organisation.tier = topdog_domain::tier::TierName::parse("ENTERPRISE-STANDARD").unwrap()
        });
        rig.upstream.now_does(Script::Close);
        let reply = rig.chat(r#"{"model":"gpt-4o-mini"}"#).await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_failed"));
        let reply = rig.chat(r#"{"model":"mistral/small"}"#).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "no_provider_key"));
    });
}

#[test]
fn an_error_that_never_ends_is_given_up() {
    run(async {
        let wish =
            Wish { config: |c| c.upstream_idle_timeout = Duration::from_millis(150), ..Wish::default() };
        let rig = Rig::start(wish).await;
        rig.upstream.now_does(Script::HangingError);
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, reply.code().as_str()), (504, "upstream_timeout"));
        assert!(!rig.records(1).await[0].is_counted);
    });
}

#[test]
fn an_empty_success_is_a_success() {
    run(async {
        let rig = Rig::start(Wish { script: Script::json(""), ..Wish::default() }).await;
        assert_eq!(rig.chat(r#"{"model":"gpt-4o-mini"}"#).await.status, 200);
        assert_eq!(rig.records(1).await[0].outcome, Outcome::Completed);
        assert!(rig.metrics.encode().contains(r#"operation="chat",status_class="2xx"} 1"#));
    });
}

/// Every wait is at least as long as this test sees it to be, however busy the machine is: only what was waited for is
/// compared, never what a busy machine makes of the rest.
#[test]
fn time_waited_for_others_is_no_time_of_ours() {
    run(async {
        let event = format!("data: {DELTA}\n\n").into_bytes();
        let pause = Duration::from_millis(300);
        let slow = Script::Chunks { pieces: vec![event.clone(), event], pause, has_end: false };
        let rig = Rig::start(Wish { script: slow, ..Wish::default() }).await;
        let _ = rig.chat(ASK).await;
        // The provider's pause begins when it has written, ours when that has been read.
        assert_waited(&rig.records(1).await[0], pause * 2 * 4 / 5);

        let large = format!("data: {}\n\n", DELTA.replace("twelve bytes", &"x".repeat(16_000)));
        let pieces = vec![large.into_bytes(); 1500];
        let rig = Rig::start(Wish {
            script: Script::Chunks { pieces, pause: Duration::ZERO, has_end: true },
            ..Wish::default()
        })
        .await;
        let mut stream = rig.connect().await;
        stream.write_all(head_of(&rig, ASK).as_bytes()).await.unwrap();
        rig.upstream.is_held_back().await;
        let held_back = Instant::now();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let unread = held_back.elapsed();
        drop(stream);
        assert_waited(&rig.records(1).await[0], unread);
    });
}

#[test]
fn the_wait_for_an_answer_that_never_begins_is_no_time_of_ours() {
    run(async {
        let wish = Wish {
            script: Script::Silence,
            config: |c| c.upstream_head_timeout = Duration::from_millis(400),
            ..Wish::default()
        };
        let rig = Rig::start(wish).await;
        assert_eq!(rig.chat(r#"{"model":"gpt-4o-mini"}"#).await.status, 504);
        assert_waited(&rig.records(1).await[0], Duration::from_millis(400));
    });
}

#[test]
fn the_wait_that_a_client_ends_by_leaving_is_no_time_of_ours() {
    run(async {
        let json_head =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{".to_vec();
        let stream_head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {DELTA}\n\n");
        let pause = Duration::from_secs(30);
        for script in [
            Script::Silence,
            Script::Raw { writes: vec![json_head], pause },
            Script::Raw { writes: vec![stream_head.into_bytes()], pause },
        ] {
            let rig = Rig::start(Wish { script, ..Wish::default() }).await;
            let mut stream = rig.connect().await;
            stream.write_all(head_of(&rig, ASK).as_bytes()).await.unwrap();
            while rig.upstream.count() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Whatever the provider has written is read by now.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let waiting = Instant::now();
            tokio::time::sleep(Duration::from_millis(200)).await;
            let waited = waiting.elapsed();
            drop(stream);
            let record = &rig.records(1).await[0];
            assert_eq!(record.outcome, Outcome::ClientGone);
            assert_waited(record, waited);
        }
    });
}

/// Was at least so much of the time not counted as ours?
fn assert_waited(record: &RequestRecord, least: Duration) {
    let waited = Duration::from_micros(record.total_us - record.overhead_us);
    assert!(waited + ROUNDING >= least, "{waited:?} of {least:?}, {} us in all", record.total_us);
}

/// Records are in whole microseconds.
const ROUNDING: Duration = Duration::from_micros(1);

#[test]
fn what_a_provider_calls_its_failure_within_a_stream_is_recorded() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let named_by_key = format!(r#"{{"error":{{"message":"no","code":"{}"}}}}"#, crate::rig::SECRET);
        let long = format!(r#"{{"error":{{"message":"no","code":"{}"}}}}"#, "x".repeat(65));
        let cases = [
            (
                r#"{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}"#,
                "rate_limit_exceeded",
            ),
            (r#"{"error":{"message":"slow","type":"overloaded_error","code":null}}"#, "overloaded_error"),
            (r#"{"error":{"message":"x","code":"no such\nword"}}"#, "upstream_error_in_stream"),
            (r#"{"error":"all is lost"}"#, "upstream_error_in_stream"),
            (named_by_key.as_str(), "upstream_error_in_stream"),
            (long.as_str(), "upstream_error_in_stream"),
        ];
        for (number, (event, code)) in cases.into_iter().enumerate() {
            rig.upstream.now_does(Script::stream(&[DELTA, event]));
            rig.chat(ASK).await;
            let records = rig.records(number + 1).await;
            let record = &records[number];
            assert_eq!(
                (record.outcome, record.error_code.as_deref()),
                (Outcome::UpstreamError, Some(code)),
                "{event}"
            );
        }
    });
}

#[test]
fn what_is_cut_off_by_a_stopping_node_is_told_so() {
    run(async {
        let event = format!("data: {DELTA}\n\n").into_bytes();
        let endless =
            Script::Chunks { pieces: vec![event; 2], pause: Duration::from_secs(30), has_end: true };
        let rig = std::rc::Rc::new(Rig::start(Wish { script: endless, ..Wish::default() }).await);
        let ask = |body: &'static str| {
            let rig = rig.clone();
            tokio::task::spawn_local(async move { rig.chat(body).await })
        };
        let stream = ask(ASK);
        while rig.upstream.count() < 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        rig.upstream.now_does(Script::Silence);
        let plain = ask(r#"{"model":"gpt-4o-mini"}"#);
        while rig.upstream.count() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        rig.stop.send_replace(true);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!stream.is_finished() && !plain.is_finished(), "stopping cuts nothing off");
        rig.abandon.send_replace(true);
        let stream = stream.await.unwrap();
        assert!(stream.body.contains("twelve bytes"), "{}", stream.body);
        assert!(stream.body.contains(r#"data: {"error":"#) && stream.body.contains("server_shutting_down"));
        assert!(!stream.body.contains("[DONE]"), "{}", stream.body);
        let plain = plain.await.unwrap();
        assert_eq!((plain.status, plain.code().as_str()), (503, "server_shutting_down"));
        for record in rig.records(2).await {
            assert_eq!((record.outcome, record.is_counted), (Outcome::InternalError, true));
            assert_eq!(record.error_code.as_deref(), Some("server_shutting_down"));
            assert_eq!(record.status, if record.is_stream { 200 } else { 503 });
        }
    });
}
