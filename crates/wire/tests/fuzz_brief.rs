//! The fuzz targets' checks, tried for a moment on mutations of good inputs. The seed is printed; to
//! try longer or again: `TOPDOG_FUZZ_SECONDS=60 TOPDOG_FUZZ_SEED=7`.

#![cfg(test)]

#[path = "../../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the same files are a library for the fuzz targets")]
mod checks;

use std::time::{Duration, Instant};

#[test]
fn bodies_are_spliced_and_nothing_else() {
    try_mutations(checks::splicer, BODIES);
}

#[test]
fn streams_pass_however_they_are_cut() {
    try_mutations(checks::stream, STREAMS);
}

#[test]
fn forms_pass_however_they_are_cut() {
    try_mutations(checks::multipart, FORMS);
}

#[test]
fn keys_are_right_to_the_last_character() {
    try_mutations(checks::api_key, KEYS);
}

#[test]
fn redacted_errors_hold_no_key_and_stay_json() {
    try_mutations(checks::redaction, ERRORS);
}

const BODIES: &[&str] = &[
    r#"0{"model":"gpt-4o","messages":[{"role":"user","content":"hé\n\u00e9 \ud83d\ude00"}],"stream":true}"#,
    r#"1{ "stream" : true , "stream_options" : { "x" : 1 } , "mod\u0065l" : "a" , "n":2, "max_tokens": 10 }"#,
    r#"3{"stream":true,"stream_options":{"include_usage":false},"seed":12345678901234567890123,"t":1.0e-7}"#,
    r#"3{"stream":true,"stream_options":null,"a":[[[[{}]]],true,false,null],"b":{"model":"inner"}}"#,
    "2{}",
];

const STREAMS: &[&str] = &[
    "0data: {\"choices\":[{\"delta\":{\"content\":\"hé\"}}],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
    "1: comment\r\n\r\ndata: {\"choices\":[],\r\ndata: \"usage\":{\"prompt_tokens\":3}}\r\n\r\ndata: {\"error\":{\"message\":\"x\"}}\r\n\r\n",
    "2event: response.created\rdata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\"}}\r\revent: response.completed\rdata: {\"sequence_number\":1,\"response\":{\"usage\":{\"input_tokens\":1}}}\r\r",
    "3data: {\"choices\":[{\"text\":\"a\\\"b\"}]}\n\nevent: error\ndata: {\"type\":\"error\"}\n\ndata: {\"type\":\"transcript.text.delta\",\"delta\":\"x\"}",
    "4event: content-delta\ndata: {\"type\":\"content-delta\",\"delta\":{\"message\":{\"content\":{\"text\":\"x\"}}}}\n\nevent: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"bad\",\"usage\":{\"billed_units\":{\"input_tokens\":1.0}}}}\n\n",
    "5data: {\"candidates\":[{\"index\":0,\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":5}}\r\n\r\ndata: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}\r\n\r\n",
];

const FORMS: &[&str] = &[
    "0--edge\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n-\n--edg\r\n--edge--\r\n",
    "1\r\n--edge\r\ncontent-disposition: form-data; name=stream\r\n\r\ntrue\r\n--edge\r\nContent-Disposition: form-data; name=\"mod\\el\"\r\n\r\n\r\n--edge--",
    "2--edge\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nhi\r\n--edge--\r\n",
];

const KEYS: &[&str] = &[
    "td_live_0123456789ABabcdefghijabcdefghijabcdefghijabcdefghijabc000000",
    "td_test_0123456789ABabcdefghijabcdefghijabcdefghijabcdefghijabc000000",
];

const ERRORS: &[&str] = &[
    r#"{"error":{"message":"Incorrect API key provided: sk-proj-Zq8xW3nT7vB1.","n":12,"k":"sk-pr***7vB1"}}"#,
    r#"{"a":"Authorization: Bearer sk-proj-Zq8xW3nT7vB1\nBearer x1y2\u2026","b":["Zq8xW3nT",3.5e1]}"#,
    "upstream said sk-proj-Zq8xW3nT7vB1 and …7vB1 and sk-p...7vB1",
];

fn try_mutations(check: fn(&[u8]), good: &[&str]) {
    let seed = told("TOPDOG_FUZZ_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let seconds = told("TOPDOG_FUZZ_SECONDS").unwrap_or(2);
    println!("TOPDOG_FUZZ_SEED={seed}");
    for input in good {
        check(input.as_bytes());
    }
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let mut input = dice.pick(good).copied().unwrap_or_default().as_bytes().to_vec();
        for _ in 0..=dice.below(6) {
            dice.mutate(&mut input, good);
        }
        let outcome = std::panic::catch_unwind(|| check(&input));
        assert!(outcome.is_ok(), "seed {seed}, input b\"{}\"", input.escape_ascii());
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own settings")]
fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Xorshift: seeded, so that what it found is found again.
struct Dice(u64);

impl Dice {
    const WORDS: &[&str] = &[
        "\"",
        "\\",
        "\\u00",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\r",
        "\n",
        "\r\n",
        "\n\n",
        "\r\n\r\n",
        "data: ",
        "event: error\n",
        "\"model\":\"m\",",
        "\"usage\":{}",
        "\"choices\":[],",
        "--edge",
        "\r\n--edge\r\n",
        "\r\n--edge--",
        "name=\"model\"",
        "null",
        "true",
        "-0.1e5",
        "1e",
        "é",
        "\u{feff}",
        "sk-",
        "…",
        "***",
        "[DONE]",
        "\"stream\":true,",
        "\"stream_options\":{},",
    ];

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    fn mutate(&mut self, input: &mut Vec<u8>, good: &[&str]) {
        // The first byte is the check's own setting.
        let at = 1 + self.below(input.len());
        let at = at.min(input.len());
        match self.below(6) {
            0 => {
                let byte = self.below(256) as u8;
                if let Some(old) = input.get_mut(at) {
                    *old = byte;
                }
            }
            1 => input.truncate(at),
            2 => {
                let end = (at + 1 + self.below(8)).min(input.len());
                input.drain(at..end);
            }
            3 => {
                let end = (at + self.below(40)).min(input.len());
                let copy = input.get(at..end).unwrap_or_default().to_vec();
                input.splice(at..at, copy);
            }
            4 => {
                let other = self.pick(good).copied().unwrap_or_default().as_bytes();
                let from = self.below(other.len());
                input.splice(at..at, other.get(from..).unwrap_or_default().iter().copied());
            }
            _ => {
                let word = self.pick(Self::WORDS).copied().unwrap_or_default();
                input.splice(at..at, word.bytes());
            }
        }
        input.truncate(4096);
        if let Some(first) = input.first_mut() {
            *first = self.below(256) as u8;
        }
    }
}
