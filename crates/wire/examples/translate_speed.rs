//! How long translation takes: `cargo run --release -p topdog-wire --example translate_speed`.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;
use topdog_wire::translate::{self, AnswerContext, Dialect, Mode, ModelTraits, StreamTranslator, Target};

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let target =
        Target { model: "m", default_max_tokens: 4096, is_stream: None, traits: ModelTraits::default() };
    for bytes in [2 * 1024, 16 * 1024, 200 * 1024] {
        let chat = chat_body(bytes);
        let there = |from, to, body: &[u8]| {
            translate::request(from, to, body, Mode::Strict, &target).map(|told| told.body)
        };
        let Ok(claude) = there(Dialect::OpenAiChat, Dialect::Anthropic, chat.as_bytes()) else { continue };
        let rounds = u32::try_from(40_000_000 / bytes).unwrap_or(1) / 10;
        let forth = micros(rounds, || {
            black_box(there(Dialect::OpenAiChat, Dialect::Anthropic, black_box(chat.as_bytes()))).is_ok()
        });
        let back = micros(rounds, || {
            black_box(there(Dialect::Anthropic, Dialect::OpenAiChat, black_box(&claude))).is_ok()
        });
        writeln!(out, "{bytes:>7} B request: chat to Messages {forth:>7.2} us, back {back:>7.2} us")?;
    }
    let context = AnswerContext { id: "r", created: 1, model: "m", wants_usage: true, is_json_array: false };
    for (from, to, event) in
        [(Dialect::OpenAiChat, Dialect::Anthropic, CHUNK), (Dialect::Anthropic, Dialect::OpenAiChat, DELTA)]
    {
        let mut translator = StreamTranslator::new(from, to, &context);
        let mut told = Vec::new();
        translator.push(START.as_bytes(), b"", &mut told);
        let took = micros(100_000, || {
            told.clear();
            translator.push(black_box(event.as_bytes()), b"", &mut told);
            !told.is_empty()
        });
        writeln!(out, "{:>7} B event: {} to {} {took:>7.2} us", event.len(), from.name(), to.name())?;
    }
    Ok(())
}

const START: &str = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const CHUNK: &str = "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1741570283,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_b705f0c291\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"QjFz9d\"}\n\n";
const DELTA: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}\n\n";

/// A conversation with a tool, its texts escaped here and there.
fn chat_body(bytes: usize) -> String {
    const TURN: &str = r#"{"role":"user","content":"Please summarise the following paragraph for me:\n\n\"The quick brown fox jumps over the lazy dog\", said the café's owner, and added a longer sentence."},{"role":"assistant","content":"He said that a fox jumps over a dog."},"#;
    let mut body = String::from(
        r#"{"model":"gpt-4o-mini","temperature":0.7,"max_tokens":256,"stream":true,"tools":[{"type":"function","function":{"name":"weather","description":"Weather of a city","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}],"messages":["#,
    );
    while body.len() + TURN.len() < bytes {
        body.push_str(TURN);
    }
    body.push_str(r#"{"role":"user","content":"Go."}],"user":"u-1"}"#);
    body
}

/// The best mean of five runs, microseconds a round.
fn micros(rounds: u32, mut step: impl FnMut() -> bool) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        let is_well = (0..rounds).fold(true, |is_well, _| step() && is_well);
        assert!(is_well, "it was refused");
        best = best.min(begin.elapsed().as_nanos() as f64 / f64::from(rounds) / 1000.0);
    }
    best
}
