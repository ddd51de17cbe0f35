//! `docs/untranslatable.md`: what a caller's dialect can say and a provider's can't, by the golden cases' requests.
//! `TOPDOG_WRITE_FIXTURES=1` writes it anew.

use crate::golden::{cases, is_writing};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use topdog_wire::translate::Dialect::{
    Anthropic, BedrockConverse, Cohere, Gemini, OpenAiChat, OpenAiResponses,
};
use topdog_wire::translate::{self, Dialect, Mode, ModelTraits, Target};

const CALLERS: [(Dialect, &str); 5] = [
    (OpenAiChat, "OpenAI's chat completions"),
    (OpenAiResponses, "OpenAI's Responses"),
    (Anthropic, "Anthropic's Messages"),
    (Cohere, "Cohere's chat"),
    (Gemini, "Gemini's generateContent"),
];

/// Who speaks OpenAI's dialects is asked for chat completions, whatever its caller speaks.
const PROVIDERS: [(Dialect, &str); 5] = [
    (OpenAiChat, "OpenAI"),
    (Anthropic, "Anthropic"),
    (Cohere, "Cohere"),
    (Gemini, "Gemini"),
    (BedrockConverse, "Bedrock"),
];

const HEAD: &str = "\
<!-- Written by crates/wire/tests/translate/published.rs: TOPDOG_WRITE_FIXTURES=1 cargo nextest run -p topdog-wire published -->
# What can't be translated

For each API that callers speak: the fields that a provider of another dialect has no words for, and why, or what is done
instead. Each refuses a request with 400 `not_translatable`, or is left out or put as near as can be where the caller asks
for lenient translation ([translation.md](translation.md)). Taken from the requests that the tests translate, for new
models of each provider: what they have and no line names is told to all. A field that Top Dog does not know is refused
for every provider. `[]` is any place of a list.
";

#[test]
fn the_page_of_what_cant_be_translated_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/untranslatable.md");
    let mut text = HEAD.to_owned();
    for (caller, name) in CALLERS {
        write!(text, "\n## {name}\n\n| field | | to |\n|---|---|---|\n").unwrap();
        for ((field, why), to) in losses_of(caller) {
            writeln!(text, "| `{field}` | {why} | {} |", to.join(", ")).unwrap();
        }
    }
    if is_writing() {
        std::fs::write(&page, &text).unwrap();
    }
    let published = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(published == text, "{} is not true (TOPDOG_WRITE_FIXTURES=1 writes it anew)", page.display());
}

/// Field and reason, and the providers that it can't be said to.
fn losses_of(caller: Dialect) -> BTreeMap<(String, &'static str), Vec<&'static str>> {
    let mut lost: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for case in cases(caller, "requests", ".json") {
        let body = std::fs::read(&case).unwrap();
        for (provider, name) in PROVIDERS.into_iter().filter(|(provider, _)| !is_relayed(caller, *provider)) {
            let told = translate::request(caller, provider, &body, Mode::Lenient, &target()).unwrap();
            for loss in told.dropped.into_iter().filter(|loss| !loss.path.contains("no_such")) {
                let to = lost.entry((anywhere(&loss.path), loss.why)).or_default();
                if !to.contains(&name) {
                    to.push(name);
                }
            }
        }
    }
    lost
}

fn is_relayed(caller: Dialect, provider: Dialect) -> bool {
    caller == provider || (caller, provider) == (OpenAiResponses, OpenAiChat)
}

const fn target() -> Target<'static> {
    Target {
        model: "target-model",
        default_max_tokens: 4096,
        is_stream: None,
        traits: ModelTraits {
            takes_instructions_anywhere: false,
            thinking: translate::ThinkingStyle::Effort,
            takes_cache_marks: true,
            takes_reasoning_details: false,
            has_only_max_tokens: false,
            takes_stream_options: true,
        },
    }
}

/// A path without its numbers.
fn anywhere(path: &str) -> String {
    path.split_inclusive('[').map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_digit())).collect()
}
