use super::*;
use proptest::prelude::*;
use topdog_domain::guardrail::{Guardrails, RuleSet, Side};
use topdog_domain::policy::PolicyScope;

fn rules(action: &str) -> Arc<SideRules> {
    let json = format!(
        r#"{{"rules":[{{"name":"data","action":"{action}","detect":["email","card"]}},{{"name":"word","action":"{action}","keywords":["zebra"]}}]}}"#
    );
    let guardrails = Guardrails::check(serde_json::from_str(&json).unwrap()).unwrap();
    RuleSet::of([(PolicyScope::Organisation, &guardrails)].into_iter()).unwrap().on(Side::Output).clone()
}

/// What goes on of a stream that comes in these pieces, and whether it is kept back.
fn passed<'p>(action: &str, pieces: impl Iterator<Item = &'p [u8]>) -> (String, bool) {
    let mut guard = StreamGuard::new(rules(action));
    let mut out = Vec::new();
    for piece in pieces {
        guard.feed(piece, &mut |bytes| out.extend_from_slice(&bytes));
    }
    guard.finish(&mut |bytes| out.extend_from_slice(&bytes));
    (String::from_utf8(out).unwrap(), guard.blocked().is_some())
}

fn event(index: usize, text: &str) -> String {
    let data = serde_json::json!({"choices": [{"index": index, "delta": {"content": text}}]});
    format!("data: {data}\n\n")
}

fn texts_of(stream: &str) -> [String; 2] {
    let mut texts = [String::new(), String::new()];
    for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(data) else { continue };
        let choice = &event["choices"][0];
        texts[usize::try_from(choice["index"].as_u64().unwrap()).unwrap()]
            .push_str(choice["delta"]["content"].as_str().unwrap());
    }
    texts
}

/// A text as the rules leave it where it comes whole.
fn whole(action: &str, text: &str) -> (String, bool) {
    let mut scan = Scan::new(&rules(action));
    scan.feed(text);
    scan.finish();
    (scan.take(text).into_owned(), scan.blocked().is_some())
}

const WORDS: [&str; 12] = [
    "zeb",
    "ra",
    " ",
    "a@b",
    ".io",
    "4111 1111",
    " 1111 1111",
    "é",
    "\"",
    "\n",
    "plain words that go on",
    "\u{1f600}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_place_of_a_stream_is_judged_as_its_whole(
        pieces in prop::collection::vec((0..2_usize, prop::sample::select(WORDS.to_vec())), 0..40),
        cuts in prop::collection::vec(0..4000_usize, 0..30),
    ) {
        let mut stream: String = pieces.iter().map(|(index, text)| event(*index, text)).collect();
        stream.push_str(": a comment\r\n\r\ndata: [DONE]\n\n");
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= stream.len()).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let cut = || cuts.windows(2).map(|pair| &stream.as_bytes()[pair[0]..pair[1]]);
        let originals = texts_of(&stream);

        let (redacted, _) = passed("redact", cut());
        let expected = originals.each_ref().map(|text| whole("redact", text).0);
        prop_assert_eq!(texts_of(&redacted), expected);
        prop_assert!(redacted.ends_with(": a comment\r\n\r\ndata: [DONE]\n\n"), "{}", redacted);
        let events = redacted.matches("data: {").count();
        prop_assert_eq!(events, pieces.len(), "no event is lost");

        let (flagged, _) = passed("flag", cut());
        prop_assert_eq!(&flagged, &stream, "nothing is changed");

        let (kept, is_blocked) = passed("block", cut());
        prop_assert_eq!(is_blocked, originals.iter().any(|text| whole("block", text).1));
        prop_assert!(stream.starts_with(&kept));
        for text in texts_of(&kept) {
            prop_assert!(!whole("block", &text).1, "{} went out", text);
        }
    }
}

#[test]
fn a_place_that_says_no_more_holds_nothing_up_for_long() {
    let mut guard = StreamGuard::new(rules("redact"));
    let mut out = 0;
    guard.feed(event(0, "said").as_bytes(), &mut |_| out += 1);
    assert_eq!(out, 0, "it could go on");
    for n in 0..200 {
        guard.feed(event(1, &format!("long words that go on and on {n} ")).as_bytes(), &mut |_| out += 1);
    }
    assert!(out > 100, "{out} of 201 went out");
    assert!(guard.held_bytes() < 64 * 1024);
}

#[test]
fn what_waits_is_bounded() {
    let mut guard = StreamGuard::new(rules("redact"));
    guard.feed(event(0, "said").as_bytes(), &mut |_| {});
    let picture = format!("data: {{\"b64_json\":\"{}\"}}\n\n", "A".repeat(300_000));
    let mut out = 0;
    for _ in 0..6 {
        guard.feed(picture.as_bytes(), &mut |_| out += 1);
    }
    assert!(out >= 4, "{out} went out");
}

#[test]
fn data_of_several_lines_and_no_json_is_judged() {
    let (told, _) = passed("redact", std::iter::once(&b"event: x\ndata: {\"a\":\ndata: \"a@b.io\"}\n\n"[..]));
    assert_eq!(told, "event: x\ndata: {\"a\":\ndata: \"[redacted:data]\"}\n\n");
    let (told, _) = passed("redact", std::iter::once(&b"data: write to a@b.io\n\n"[..]));
    assert_eq!(told, "data: write to [redacted:data]\n\n");
}
