//! Nothing is lost: what a dialect says of a model is, read again, that model; what two dialects both can
//! say crosses and returns as it was; and no bytes at all make a reader fall.

use crate::frames::to_wire;
use crate::given::{CONTEXT, stream, target};
use crate::model::{answer, request};
use crate::scope::Scope;
use proptest::prelude::*;
use topdog_wire::translate::model::{AssistantPart, OutputFormat, Request, Turn};
use topdog_wire::translate::{self, Dialect, Mode, ModelTraits, Target, prove};

fn generous() -> Target<'static> {
    Target { traits: ModelTraits { takes_reasoning_details: true, ..target().traits }, ..target() }
}

fn scopes() -> impl Iterator<Item = Scope> {
    Dialect::ALL.into_iter().map(Scope::of)
}

fn others(dialect: Dialect) -> impl Iterator<Item = Dialect> {
    Dialect::ALL.into_iter().filter(move |other| *other != dialect)
}

/// Do the texts of each turn stand together? Elsewhere chat has one place for all of them.
fn has_texts_together(request: &Request<'_>) -> bool {
    request.turns.iter().all(|turn| {
        let Turn::Assistant { parts, .. } = turn else { return true };
        let is_text = |part: &AssistantPart<'_>| matches!(part, AssistantPart::Text(_));
        let changes = parts.windows(2).filter(|two| is_text(&two[0]) != is_text(&two[1])).count();
        changes <= 1 + usize::from(parts.first().is_some_and(|first| !is_text(first)))
    })
}

fn sayable_share(said: usize, of: usize) {
    assert!(said * 2 > of, "only {said} of {of} generated were sayable: the proof is hollow");
}

#[test]
fn a_request_written_and_read_is_the_same() {
    for scope in scopes() {
        let (said, all) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        proptest!(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() },
        |(asked in request(scope))| {
            all.set(all.get() + 1);
            let (body, is_whole) = prove::write_request(scope.dialect, asked.clone(), &generous());
            let body = String::from_utf8(body).unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "{body}");
            let (read, is_understood) = prove::read_request(scope.dialect, &body).unwrap();
            prop_assert!(is_understood, "a writer writes only what its reader knows: {body}");
            if is_whole {
                said.set(said.get() + 1);
                prop_assert_eq!(&read, &asked, "{}", body);
            }
        });
        sayable_share(said.get(), all.get());
    }
}

#[test]
fn an_answer_written_and_read_is_the_same() {
    for scope in scopes() {
        let (said, all) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        proptest!(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() },
        |(given in answer(scope))| {
            all.set(all.get() + 1);
            let (body, is_whole) = prove::write_answer(scope.dialect, given.clone(), &CONTEXT);
            let body = String::from_utf8(body).unwrap();
            let (read, is_understood) = prove::read_answer(scope.dialect, &body).unwrap();
            prop_assert!(is_understood, "{body}");
            if is_whole {
                said.set(said.get() + 1);
                prop_assert_eq!(&read, &given, "{}", body);
            }
        });
        sayable_share(said.get(), all.get());
    }
}

/// What strict mode lets through is what it was when it comes back.
#[test]
fn a_strict_request_crosses_and_returns() {
    for dialect in Dialect::ALL {
        for other in others(dialect) {
            let scope = Scope::shared_by(dialect, other);
            let said = std::cell::Cell::new(0);
            proptest!(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() },
            |(asked in request(scope))| {
                let (body, is_whole) = prove::write_request(scope.dialect, asked, &generous());
                if !is_whole {
                    return Ok(());
                }
                let there = translate::request(scope.dialect, other, &body, Mode::Strict, &generous());
                let Ok(there) = there else { return Ok(()) };
                let back = translate::request(other, scope.dialect, &there.body, Mode::Strict, &generous());
                let back = back.map_err(|error| TestCaseError::fail(error.to_string()))?;
                let (body, back) =
                    (String::from_utf8(body).unwrap(), String::from_utf8(back.body.to_vec()).unwrap());
                let (mut first, _) = prove::read_request(scope.dialect, &body).unwrap();
                let (mut second, _) = prove::read_request(scope.dialect, &back).unwrap();
                if !has_texts_together(&first) {
                    return Ok(());
                }
                for request in [&mut first, &mut second] {
                    forget_labels(request);
                }
                said.set(said.get() + 1);
                prop_assert_eq!(&second, &first, "{}", there.body.len());
            });
            assert!(said.get() > 100, "only {} crossed from {dialect:?} to {other:?}", said.get());
        }
    }
}

/// What the rules of the house call no loss: labels and defaults that one side doesn't spell out.
fn forget_labels(request: &mut Request<'_>) {
    if let Some(OutputFormat::Schema(schema)) = request.format.as_mut().map(|format| &mut format.value) {
        schema.name = None;
    }
    request.delivery.wants_usage = false;
    request.max_tokens = request.max_tokens.filter(|most| most.value != 4096);
}

#[test]
fn an_answer_streamed_says_what_it_says_whole() {
    // An answer as a stream of events is written by its writer; what its reader reads of it, joined, is
    // what went in. One's frames come out of another's and the reverse, through the translator itself.
    for dialect in Dialect::ALL {
        for case in ["text", "tools", "thinking", "parallel_tools_interleaved", "azure_and_reasoning"] {
            let folder = format!("{}/tests/fixtures/{}", env!("CARGO_MANIFEST_DIR"), dialect.name());
            let Ok(upstream) = std::fs::read(format!("{folder}/streams/{case}.sse")) else { continue };
            let upstream = to_wire(dialect, &upstream);
            for other in others(dialect) {
                let (there, first) = stream(dialect, other, &upstream, usize::MAX);
                if first.dropped().iter().any(|why| why.starts_with("why it stopped")) {
                    continue;
                }
                let (back, translator) =
                    stream(other, dialect, &to_wire(other, there.as_bytes()), usize::MAX);
                assert!(translator.is_done(), "{case} by {other:?}: {back}");
                let has_seals = Scope::shared_by(dialect, other).has_seals();
                let said = |stream: &[u8]| joined(dialect, stream, has_seals);
                assert_eq!(said(&to_wire(dialect, back.as_bytes())), said(&upstream), "{case} by {other:?}");
            }
        }
    }
}

/// The texts of a stream, by kind, each joined; its stop and, where both have them, its seals.
fn joined(dialect: Dialect, stream: &[u8], has_seals: bool) -> Vec<String> {
    use topdog_wire::translate::model::{Delta, Event, PartStart};
    let mut kinds = std::collections::HashMap::new();
    let (mut texts, mut arguments, mut seals, mut rest) =
        (String::new(), String::new(), String::new(), String::new());
    for event in prove::read_stream(dialect, stream) {
        match event {
            Event::PartStarted { index, part, .. } => {
                if let PartStart::ToolCall { id, name, .. } = &part {
                    // A provider that gives no id is given one of ours.
                    let id = if id.starts_with("call_req1_") { "" } else { id };
                    rest.push_str(&format!("call {id} {name};"));
                }
                kinds.insert(index, (matches!(part, PartStart::Reasoning { .. }), String::new()));
            }
            Event::Delta { index, delta, .. } => match delta {
                Delta::Text(text) if kinds[&index].0 => rest.push_str(&text),
                Delta::Text(text) => texts.push_str(&text),
                // White space in JSON may be any, and within one line of a stream it is.
                Delta::Arguments(text) => {
                    kinds.get_mut(&index).unwrap().1.push_str(&text.replace(['\n', '\r'], " "));
                }
                Delta::Seal(seal) if has_seals => seals.push_str(&seal.data),
                Delta::Seal(_) | Delta::Citation(_) | Delta::Native(_) => {}
            },
            Event::PartEnded { index, .. } => arguments.push_str(&kinds[&index].1),
            Event::Stopped { stop, .. } => rest.push_str(&format!("{:?}", stop.reason)),
            _ => {}
        }
    }
    // Where arguments are an object within an event, their line ends, which are white space, become spaces.
    vec![texts, arguments.replace(['\n', '\r'], " "), seals, rest]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bodies with a byte changed, cut or doubled: an error or an answer, never a fall, and never bad JSON.
    #[test]
    fn no_body_makes_a_reader_fall(which in 0usize..40, at in 0usize..3000, byte in any::<u8>(), how in 0..3) {
        let bodies = bodies();
        let (dialect, mut body) = bodies[which % bodies.len()].clone();
        let at = at % body.len();
        match how {
            0 => body[at] = byte,
            1 => body.truncate(at),
            _ => body.insert(at, byte),
        }
        for other in others(dialect) {
            if let Ok(told) = translate::request(dialect, other, &body, Mode::Lenient, &target()) {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&told.body).is_ok());
            }
            if let Ok(told) = translate::answer(dialect, other, &body, &CONTEXT) {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&told.body).is_ok());
            }
            let (_, told) = translate::error(dialect, other, 400, &body);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&told).is_ok());
            let (told, translator) = stream(dialect, other, &body, 100);
            for line in told.lines().filter_map(|line| line.strip_prefix("data: ")) {
                let is_json = serde_json::from_str::<serde_json::Value>(line).is_ok();
                prop_assert!(line == "[DONE]" || is_json, "{line}");
            }
            prop_assert!(translator.is_done() != translator.has_failed());
        }
    }
}

fn bodies() -> Vec<(Dialect, Vec<u8>)> {
    let mut bodies = Vec::new();
    for dialect in Dialect::ALL {
        for kind in ["requests", "answers", "streams"] {
            let folder = format!("{}/tests/fixtures/{}/{kind}", env!("CARGO_MANIFEST_DIR"), dialect.name());
            let mut paths: Vec<_> =
                std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.retain(|path| path.file_name().unwrap().to_str().unwrap().matches('.').count() == 1);
            paths.sort();
            bodies.extend(paths.into_iter().map(|path| {
                let body = std::fs::read(path).unwrap();
                (dialect, if kind == "streams" { to_wire(dialect, &body) } else { body })
            }));
        }
    }
    bodies
}
