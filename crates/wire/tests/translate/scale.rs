//! Long bodies take as long as they are: a caller must not be able to keep a thread busy with a short one.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use topdog_wire::translate::{self, Dialect, Mode, ModelTraits, Target};

/// How long a chat takes that has so many calls in one turn, and all their results behind it.
fn paired(to: Dialect, calls: usize) -> Duration {
    let ids = || (0..calls).map(|n| format!("c{n}"));
    let call = |id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let mut messages = vec![json!({"role": "user", "content": "q"})];
    messages.push(json!({"role": "assistant", "tool_calls": ids().map(call).collect::<Vec<Value>>()}));
    messages.extend(ids().map(|id| json!({"role": "tool", "tool_call_id": id, "content": "x"})));
    let body = json!({"model": "m", "messages": messages}).to_string();
    took(to, &body, Mode::Strict)
}

/// How long a chat takes that has so many fields which can't be said.
fn unsaid(to: Dialect, fields: usize) -> Duration {
    let fields: String = (0..fields).map(|n| format!("\"f{n}\":1,")).collect();
    let body = format!(r#"{{{fields}"model":"m","messages":[{{"role":"user","content":"q"}}]}}"#);
    took(to, &body, Mode::Lenient)
}

fn took(to: Dialect, body: &str, mode: Mode) -> Duration {
    let target =
        Target { model: "m", default_max_tokens: 9, is_stream: None, traits: ModelTraits::default() };
    let began = Instant::now();
    translate::request(Dialect::OpenAiChat, to, body.as_bytes(), mode, &target).unwrap();
    began.elapsed()
}

#[test]
fn sixteen_times_as_much_takes_no_sixty_times_as_long() {
    for to in [Dialect::Anthropic, Dialect::Cohere, Dialect::Gemini] {
        for (of, take) in [("calls", paired as fn(Dialect, usize) -> Duration), ("fields", unsaid)] {
            let (few, many) = (take(to, 1_000), take(to, 16_000));
            // The machine may be busy with something else; what grows with the square grows by 256.
            assert!(many < few * 60 + Duration::from_millis(300), "{to:?}, {of}: {few:?}, then {many:?}");
        }
    }
}
