//! How long the hot path's pure steps take: `cargo run --release -p topdog-wire --example head_speed`.

use bytes::Bytes;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;
use topdog_domain::provider::Operation;
use topdog_wire::{StreamRelay, read_head, splice};

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for kilobytes in [1, 16, 200] {
        let body = Bytes::from(chat_body(kilobytes * 1024));
        let rounds = 200_000 / kilobytes as u32;
        let head = nanos(rounds, || black_box(read_head(black_box(&body))).is_ok());
        let spliced = nanos(rounds, || {
            let marks = read_head(&body).map(|head| head.marks());
            marks.is_ok_and(|marks| !black_box(splice(body.clone(), &marks, "gpt-4o-mini", true)).is_empty())
        });
        writeln!(out, "{kilobytes:>4} KB body: head {head:>7.0} ns, head and splice {spliced:>7.0} ns")?;
    }
    let event = Bytes::from_static(EVENT.as_bytes());
    for strip_usage in [false, true] {
        let mut relay = StreamRelay::new(Operation::Chat, strip_usage);
        let relayed = nanos(200_000, || {
            relay.feed(event.clone(), b"", &mut |bytes| {
                black_box(bytes);
            });
            true
        });
        writeln!(out, "{:>4} B event, stripping {strip_usage}: {relayed:>5.0} ns", event.len())?;
    }
    Ok(())
}

const EVENT: &str = "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1741570283,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_b705f0c291\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"QjFz9d\"}\n\n";

/// Messages of a usual shape: short ones, line ends escaped, a few letters beyond ASCII.
fn chat_body(bytes: usize) -> String {
    const MESSAGE: &str = r#"{"role":"user","content":"Please summarise the following paragraph for me:\n\n\"The quick brown fox jumps over the lazy dog\", said the café's owner, and added a longer sentence so that text is most of it."},"#;
    let mut body = String::from(
        r#"{"model":"openai/gpt-4o-mini","temperature":0.7,"max_tokens":256,"stream":true,"messages":["#,
    );
    while body.len() + MESSAGE.len() < bytes {
        body.push_str(MESSAGE);
    }
    body.push_str(r#"{"role":"user","content":"Go."}],"user":"u-1"}"#);
    body
}

/// The best mean of five runs, nanoseconds a round.
fn nanos(rounds: u32, mut step: impl FnMut() -> bool) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        let is_well = (0..rounds).fold(true, |is_well, _| step() && is_well);
        assert!(is_well, "the body was refused");
        best = best.min(begin.elapsed().as_nanos() as f64 / f64::from(rounds));
    }
    best
}
