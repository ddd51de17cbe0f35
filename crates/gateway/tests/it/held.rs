//! Short plain answers are held until they are whole: torn before, they are errors of their own.

use crate::rig::{Rig, Wish, run};
use crate::upstream::Script;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use topdog_domain::labels::DataSegment;
use topdog_domain::usage::{Outcome, UsageSource};

const ASK: &str = r#"{"model":"gpt-4o-mini","messages":[]}"#;
const ANSWER: &str =
    r#"{"id":"x","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7},"padding":"0123456789"}"#;

fn raw(writes: &[&str], pause: Duration) -> Script {
    Script::Raw { writes: writes.iter().map(|bytes| bytes.as_bytes().to_vec()).collect(), pause }
}

fn head(more: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n{more}\r\n\r\n")
}

fn impatient() -> Wish {
    Wish { config: |c| c.upstream_idle_timeout = Duration::from_millis(150), ..Wish::default() }
}

#[test]
fn torn_anywhere_it_is_a_502_that_counts() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let length = head(&format!("content-length: {}", ANSWER.len()));
        let chunked = head("transfer-encoding: chunked");
        let chunk = format!("{:x}\r\n{ANSWER}\r\n", ANSWER.len());
        let torn = [
            length.clone(),
            format!("{length}{}", &ANSWER[..1]),
            format!("{length}{}", &ANSWER[..ANSWER.len() - 1]),
            chunked.clone(),
            format!("{chunked}6"),
            format!("{chunked}{}", &chunk[..20]),
            // Nothing of the answer is missing but its proper end.
            format!("{chunked}{chunk}"),
            format!("{chunked}{chunk}0\r\n"),
            format!("{chunked}nonsense\r\n"),
        ];
        let mut count = 0;
        for bytes in &torn {
            // In one piece, and torn in two.
            let middle = bytes.len() - 1;
            for writes in [vec![bytes.as_str()], vec![&bytes[..middle], &bytes[middle..]]] {
                rig.upstream.now_does(raw(&writes, Duration::from_millis(5)));
                let reply = rig.chat(ASK).await;
                assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_failed"), "{bytes}");
                assert!(reply.head.contains("x-topdog-error-source: gateway"), "{}", reply.head);
                assert!(!reply.body.contains("choices"), "{}", reply.body);
                count += 1;
                let records = rig.records(count).await;
                let record = &records[count - 1];
                assert_eq!((record.outcome, record.status), (Outcome::UpstreamFailed, 502));
                assert_eq!((record.is_counted, record.source), (true, UsageSource::Estimated), "{bytes}");
                assert_eq!(record.error_code.as_deref(), Some("upstream_failed"));
                assert_eq!(record.first_byte_us, None, "nothing was passed on");
            }
        }
        let metrics = rig.metrics.encode();
        let refusals = format!(
            r#"topdog_refusals_total{{plan="Pro",data_segment="general",code="upstream_failed"}} {count}"#
        );
        assert!(metrics.contains(&refusals), "{metrics}");
        assert!(!metrics.contains("topdog_ttft_seconds_count{"), "{metrics}");
    });
}

#[test]
fn whole_it_goes_out_at_once_however_it_came() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let chunked = head("transfer-encoding: chunked");
        let (first, rest) = ANSWER.split_at(11);
        let first = format!("{:x}\r\n{first}\r\n", first.len());
        let rest = format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len());
        rig.upstream.now_does(raw(&[&chunked, &first, &rest], Duration::from_millis(60)));
        let mut line = rig.connect().await;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{ASK}",
            rig.token,
            ASK.len()
        );
        line.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = vec![0; 8192];
        let count = line.read(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        assert!(text.ends_with(ANSWER), "head and body in one write: {text}");
        assert!(text.contains(&format!("content-length: {}\r\n", ANSWER.len())), "{text}");
        let record = &rig.records(1).await[0];
        assert_eq!((record.tokens.input, record.tokens.output, record.source), (5, 7, UsageSource::Provider));
        assert_eq!((record.outcome, record.bytes_out), (Outcome::Completed, ANSWER.len() as u64));
        assert!(record.first_byte_us.is_some_and(|us| us > 100_000), "the first byte went when all had come");
        assert!(record.overhead_us < 50_000, "waiting is no time of ours: {}", record.overhead_us);
    });
}

#[test]
fn a_long_one_passes_as_it_comes_and_is_whole() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        for length in [40_000, 262_000, 263_000, 600_000] {
            let body = format!(
                r#"{{"x":"{}","usage":{{"prompt_tokens":5,"completion_tokens":7}}}}"#,
                "x".repeat(length)
            );
            rig.upstream.now_does(Script::json(&body));
            let reply = rig.chat(ASK).await;
            assert!(reply.status == 200 && reply.body == body, "{length} announced");
            let pieces = body.as_bytes().chunks(30_000).map(<[u8]>::to_vec).collect();
            rig.upstream.now_does(Script::Pieces { content_type: "application/json", pieces });
            let reply = rig.chat(ASK).await;
            assert!(reply.status == 200 && reply.body == body, "{length} in chunks");
        }
        assert!(rig.records(8).await.iter().all(|r| r.tokens.output == 7 && r.outcome == Outcome::Completed));
    });
}

#[test]
fn a_long_one_that_is_torn_breaks_the_connection() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let torn = format!("{}[\"{}", head("content-length: 300000"), "x".repeat(100_000));
        rig.upstream.now_does(raw(&[&torn], Duration::ZERO));
        let reply = rig.chat(ASK).await;
        assert!(reply.status == 200 && reply.head.contains("content-length: 300000"), "{}", reply.head);
        assert!(reply.body.len() < 300_000, "the client sees that it is torn");
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.source), (Outcome::UpstreamFailed, UsageSource::Estimated));
    });
}

#[test]
fn a_silent_one_is_a_504() {
    run(async {
        let rig = Rig::start(impatient()).await;
        rig.upstream.now_does(raw(&[&format!("{}{{", head("content-length: 100"))], Duration::from_secs(30)));
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, reply.code().as_str()), (504, "upstream_timeout"));
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.status, record.is_counted), (Outcome::UpstreamFailed, 504, true));
        assert!(record.overhead_us < 100_000, "{}", record.overhead_us);
    });
}

#[test]
fn white_space_that_keeps_a_connection_alive_passes() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let chunked = head("transfer-encoding: chunked");
        let blank = "2\r\n\n\n\r\n";
        let rest = format!("{:x}\r\n{ANSWER}\r\n0\r\n\r\n", ANSWER.len());
        let script = raw(&[&chunked, blank, blank, &rest], Duration::from_millis(100));
        rig.upstream.now_does(script);
        let began = Instant::now();
        let mut line = rig.connect().await;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{ASK}",
            rig.token,
            ASK.len()
        );
        line.write_all(request.as_bytes()).await.unwrap();
        assert!(line.read(&mut [0; 4096]).await.unwrap() > 0);
        assert!(began.elapsed() < Duration::from_millis(250), "after {:?}", began.elapsed());
        let mut bytes = Vec::new();
        line.read_to_end(&mut bytes).await.unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(ANSWER));
        assert_eq!(rig.records(1).await[0].tokens.output, 7);
    });
}

#[test]
fn a_client_that_leaves_meanwhile_cancels_the_provider() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        rig.upstream.now_does(raw(&[&format!("{}{{", head("content-length: 100"))], Duration::from_secs(30)));
        let mut line = rig.connect().await;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{ASK}",
            rig.token,
            ASK.len()
        );
        line.write_all(request.as_bytes()).await.unwrap();
        while rig.upstream.count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(line);
        let left = Instant::now();
        while rig.upstream.seen.borrow().closed_at.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(left.elapsed() < Duration::from_secs(2), "the provider was never cancelled");
        }
        let cancelled = rig.upstream.seen.borrow().closed_at[0].duration_since(left);
        assert!(cancelled < Duration::from_millis(100), "cancelled after {cancelled:?}");
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.status, record.is_counted), (Outcome::ClientGone, 499, true));
    });
}

#[test]
fn in_a_regulated_segment_nothing_of_it_goes_out_before_its_record_is_kept() {
    run(async {
        let wish = Wish {
            facts: |f| f.organisation.data_segment = Some(DataSegment::Medical),
            script: Script::json(ANSWER),
            ..Wish::default()
        };
        let rig = Rig::start(wish).await;
        assert_eq!(rig.chat(ASK).await.body, ANSWER);
        let spool = rig.spool.clone();
        rig.upstream.first_does(move || spool.set_healthy(false));
        for script in [Script::json(ANSWER), Script::Torn] {
            rig.spool.set_healthy(true);
            rig.upstream.now_does(script);
            let reply = rig.chat(ASK).await;
            assert_eq!((reply.status, reply.code().as_str()), (503, "records_unavailable"));
            assert!(!reply.body.contains("choices"), "{}", reply.body);
        }
    });
}
