//! Guardrails: what they must be like, and that a text is judged alike whole and in pieces.

use proptest::prelude::*;
use std::sync::Arc;
use topdog_domain::guardrail::{
    Action, Decision, Detector, GuardrailsDocument, RuleDocument, RuleSet, Scan, Side, SideRules, Sides,
    Tally,
};
use topdog_domain::policy::{Policy, PolicyScope};

fn rule(name: &str, action: Action) -> RuleDocument {
    RuleDocument {
        name: name.to_owned(),
        action,
        on: Sides::Both,
        detect: Vec::new(),
        keywords: Vec::new(),
        pattern: None,
        replacement: None,
    }
}

fn detecting(action: Action, detect: &[Detector]) -> RuleDocument {
    RuleDocument { detect: detect.to_vec(), ..rule("data", action) }
}

fn finding(name: &str, action: Action, pattern: &str) -> RuleDocument {
    RuleDocument { pattern: Some(pattern.to_owned()), ..rule(name, action) }
}

fn speaking(action: Action, keywords: &[&str]) -> RuleDocument {
    RuleDocument {
        keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
        ..rule("words", action)
    }
}

fn guardrails(rules: Vec<RuleDocument>) -> topdog_domain::guardrail::Guardrails {
    let document = GuardrailsDocument { max_input_bytes: None, rules };
    topdog_domain::guardrail::Guardrails::check(document).expect("good guardrails")
}

fn output(rules: Vec<RuleDocument>) -> Arc<SideRules> {
    let guardrails = guardrails(rules);
    let layers = [(PolicyScope::Organisation, &guardrails)];
    RuleSet::of(layers.into_iter()).unwrap().on(Side::Output).clone()
}

/// What becomes of a text that comes in these pieces, and what was found in it.
fn judged<'t>(rules: &Arc<SideRules>, pieces: impl Iterator<Item = &'t str>) -> (String, Vec<(String, u32)>) {
    let mut scan = Scan::new(rules);
    let (mut all, mut taken, mut passed) = (String::new(), 0, String::new());
    for piece in pieces {
        scan.feed(piece);
        all.push_str(piece);
        passed.push_str(&scan.take(&all[taken..scan.decided()]));
        taken = scan.decided();
    }
    scan.finish();
    assert_eq!(scan.decided(), all.len(), "a text that has ended is decided");
    passed.push_str(&scan.take(&all[taken..]));
    let mut found: Vec<_> =
        scan.tally().decisions().iter().map(|made| (made.rule.to_string(), made.count)).collect();
    found.sort();
    (passed, found)
}

fn whole(rules: &Arc<SideRules>, text: &str) -> (String, Vec<(String, u32)>) {
    judged(rules, std::iter::once(text))
}

fn redacted(rules: Vec<RuleDocument>, text: &str) -> String {
    whole(&output(rules), text).0
}

#[test]
fn what_is_found_is_replaced_where_it_stands() {
    let all = || detecting(Action::Redact, &Detector::ALL);
    for (text, expected) in [
        ("", ""),
        ("nothing here", "nothing here"),
        ("mail a@b.io now", "mail [redacted:data] now"),
        ("a@b.io", "[redacted:data]"),
        ("a@b.io,c@d.io", "[redacted:data],[redacted:data]"),
        ("sk-0123456789abcdefghijklmnopqrstuvwxyz", "[redacted:data]"),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
            "[redacted:data]END PRIVATE KEY-----",
        ),
        ("card 4111 1111 1111 1111.", "card [redacted:data]."),
    ] {
        assert_eq!(redacted(vec![all()], text), expected);
    }
    let mut named = finding("ticket", Action::Redact, "(?i)T-[0-9]{1,4}");
    named.replacement = Some("<id>".to_owned());
    assert_eq!(redacted(vec![named], "t-1 T-12345 ü T-9"), "<id> <id>5 ü <id>");
    assert_eq!(
        redacted(
            vec![speaking(Action::Redact, &["Big  Secret", "éclair", "c++"])],
            "BIG\n secret ÉCLAIR bigsecret C++ éclairs"
        ),
        "[redacted:words] [redacted:words] bigsecret [redacted:words] éclairs"
    );
}

#[test]
fn what_several_rules_redact_is_replaced_once() {
    let rules = || vec![finding("one", Action::Redact, "abc"), finding("two", Action::Redact, "cde")];
    assert_eq!(redacted(rules(), "xabcdey"), "x[redacted:one]y");
    assert_eq!(redacted(rules(), "abccde"), "[redacted:one][redacted:two]");
    let (text, found) = whole(&output(rules()), "abcde");
    assert_eq!(
        (text.as_str(), found),
        ("[redacted:one]", vec![("one".to_owned(), 1), ("two".to_owned(), 1)])
    );
}

#[test]
fn a_block_is_told_and_a_flag_changes_nothing() {
    let rules =
        output(vec![speaking(Action::Block, &["forbidden"]), detecting(Action::Flag, &[Detector::Email])]);
    let mut scan = Scan::new(&rules);
    scan.feed("a@b.io is Forbidden");
    assert_eq!(scan.blocked(), None, "it could go on as `forbiddenly`");
    scan.finish();
    let block = scan.blocked().expect("it is forbidden");
    assert_eq!((&*block.rule, block.side), ("words", Side::Output));
    assert!(block.to_string().contains("`words` of your organisation"), "{block}");
    assert_eq!(whole(&rules, "a@b.io, c@d.io"), ("a@b.io, c@d.io".to_owned(), vec![("data".to_owned(), 2)]));
}

#[test]
fn a_rule_is_for_the_texts_that_it_names() {
    let only = |on| RuleDocument { on, ..detecting(Action::Block, &[Detector::Email]) };
    let guardrails = guardrails(vec![only(Sides::Input)]);
    let layers = [(PolicyScope::Organisation, &guardrails)];
    let set = RuleSet::of(layers.into_iter()).unwrap();
    assert!(set.on(Side::Output).is_empty() && !set.on(Side::Input).is_empty());
}

#[test]
fn the_tightest_limit_of_all_scopes_holds() {
    let limited = |most| {
        let document = GuardrailsDocument { max_input_bytes: Some(most), rules: Vec::new() };
        topdog_domain::guardrail::Guardrails::check(document).unwrap()
    };
    let (key, org) = (limited(50), limited(20));
    let scope = PolicyScope::Key(topdog_domain::ApiKeyId::from_uuid(uuid::Uuid::nil()));
    let layers = [(scope, &key), (PolicyScope::Organisation, &org)];
    let set = RuleSet::of(layers.into_iter()).unwrap();
    assert!(set.require_size(20).is_ok());
    let block = set.require_size(21).unwrap_err();
    assert_eq!(block.scope, PolicyScope::Organisation);
    assert!(block.to_string().contains("20 bytes"), "{block}");
}

#[test]
fn decisions_are_told_in_a_record_and_read_again() {
    let mut tally = Tally::default();
    assert_eq!(tally.told(), None);
    tally.add(&"keys".into(), Action::Block, Side::Input, 1);
    tally.add(&"mail".into(), Action::Redact, Side::Output, 2);
    tally.add(&"mail".into(), Action::Redact, Side::Output, 1);
    let told = tally.told().unwrap();
    assert_eq!(&*told, "input block keys 1, output redact mail 3");
    assert_eq!(Decision::told(&told).collect::<Vec<_>>(), tally.decisions());
    assert_eq!(Decision::told("output mask mail 3, input flag x, , input flag x 1 2").count(), 0);
}

#[test]
fn bad_guardrails_are_refused_with_what_to_do() {
    for (json, why) in [
        (r#"{"rules":[{"name":"A","action":"flag","pattern":"a"}]}"#, "a name is"),
        (r#"{"rules":[{"name":"a","action":"flag"}]}"#, "write one of them"),
        (r#"{"rules":[{"name":"a","action":"flag","pattern":"a","keywords":["b"]}]}"#, "write one of them"),
        (r#"{"rules":[{"name":"a","action":"flag","pattern":"a+"}]}"#, "{1,40}"),
        (r#"{"rules":[{"name":"a","action":"flag","pattern":"a{600}"}]}"#, "600 bytes"),
        (r#"{"rules":[{"name":"a","action":"flag","pattern":"a?"}]}"#, "nothing at all"),
        (r#"{"rules":[{"name":"a","action":"flag","pattern":"^a"}]}"#, "begins or ends"),
        (r#"{"rules":[{"name":"a","action":"flag","pattern":"a\\z"}]}"#, "begins or ends"),
        (r#"{"rules":[{"name":"a","action":"flag","pattern":"(a"}]}"#, "no regular expression"),
        (r#"{"rules":[{"name":"a","action":"flag","pattern":"\\w{100}"}]}"#, "too much memory"),
        (r#"{"rules":[{"name":"a","action":"flag","pattern":"(?:a{50}){10}(?:b{50}){10}"}]}"#, "1000 bytes"),
        (r#"{"rules":[{"name":"a","action":"flag","keywords":[" "]}]}"#, "keyword number 1"),
        (
            r#"{"rules":[{"name":"a","action":"flag","keywords":["x"],"replacement":"y"}]}"#,
            "only what is redacted",
        ),
        (
            r#"{"rules":[{"name":"a","action":"redact","keywords":["x"],"replacement":"\""}]}"#,
            "without quotes",
        ),
        (
            r#"{"rules":[{"name":"a","action":"redact","keywords":["x"],"replacement":"an x"}]}"#,
            "another `replacement`",
        ),
        (
            r#"{"rules":[{"name":"a","action":"flag","pattern":"a"},{"name":"a","action":"flag","pattern":"a"}]}"#,
            "twice",
        ),
        (r#"{"max_input_bytes":0}"#, "`max_input_bytes`"),
    ] {
        let document: GuardrailsDocument = serde_json::from_str(json).expect(json);
        let error = topdog_domain::guardrail::Guardrails::check(document).expect_err(json).to_string();
        assert!(error.contains(why), "{json}: {error}");
    }
    for unknown in [r#"{"rule":[]}"#, r#"{"rules":[{"name":"a","action":"mask"}]}"#] {
        assert!(serde_json::from_str::<GuardrailsDocument>(unknown).is_err(), "{unknown}");
    }
}

#[test]
fn they_are_part_of_a_policy_and_stored_as_written() {
    let json =
        r#"{"guardrails":{"rules":[{"name":"no-keys","action":"redact","on":"input","detect":["secret"]}]}}"#;
    let policy = Policy::stored(json).expect("a good policy");
    assert_eq!(policy.guardrails().unwrap().rules().len(), 1);
    assert_eq!(serde_json::to_string(policy.document()).unwrap(), json);
    assert_eq!(Policy::stored(&json.replace("secret", "everything")), None);
    let bad = serde_json::from_str(&json.replace("no-keys", "No")).unwrap();
    assert_eq!(Policy::check(bad).unwrap_err().field, "guardrails");
}

/// Texts that are likely to hold what the rules find, in parts and beside each other.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => "[a-zA-Z0-9@. +-]{0,12}",
        1 => "\\PC{0,6}",
        2 => prop::sample::select(vec![
            "jane@mail.example.org", "sk-0123456789abcdefABCDEF0123", "4111 1111 1111 1111", "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00", "+49 30 901820", "219-09-9999", "10.1.2.3", "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "-----BEGIN PRIVATE KEY-----\nMII\n", "-----", "abc", "abcd",
            "bcd", "É", "é", "big  secret", "sécret", "\n", "ſ",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

fn any_rules() -> impl Strategy<Value = Vec<RuleDocument>> {
    let action = || prop::sample::select(vec![Action::Flag, Action::Redact]);
    let detectors = prop::sample::subsequence(Detector::ALL.to_vec(), 1..=7);
    let pattern = prop::sample::select(vec![
        "abc",
        "(?:abc|abcd)",
        "a.{0,9}d",
        r"\bé",
        r"(?m)^[a-c]{2,3}$",
        "[a-z]{1,5}@",
        "s",
        "(?i)[ks]{1,2}",
        r"\w{1,6}\b",
    ]);
    let words = prop::sample::subsequence(vec!["big secret", "SÉCRET", "é", "abc", "+49"], 1..=5);
    (
        (action(), detectors).prop_map(|(action, detect)| detecting(action, &detect)),
        (action(), pattern).prop_map(|(action, pattern)| finding("pattern", action, pattern)),
        (action(), words).prop_map(|(action, words)| speaking(action, &words)),
        0..8_u8,
    )
        .prop_map(|(data, pattern, words, which)| {
            let rules = [data, pattern, words].into_iter().enumerate();
            let chosen: Vec<_> =
                rules.filter(|(place, _)| which & (1 << place) != 0).map(|(_, rule)| rule).collect();
            chosen
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_text_in_pieces_is_judged_as_the_whole(
        text in any_text(), rules in any_rules(), cuts in prop::collection::vec(0..400_usize, 0..12),
    ) {
        let document = GuardrailsDocument { max_input_bytes: None, rules };
        let Ok(guardrails) = topdog_domain::guardrail::Guardrails::check(document) else { return Ok(()) };
        let layers = [(PolicyScope::Organisation, &guardrails)];
        let rules = RuleSet::of(layers.into_iter()).unwrap().on(Side::Output).clone();
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| text.is_char_boundary(*cut)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]);
        prop_assert_eq!(judged(&rules, pieces), whole(&rules, &text));
        let singly = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]);
        prop_assert_eq!(judged(&rules, singly), whole(&rules, &text));
    }

    #[test]
    fn what_is_redacted_stays_as_it_is(
        text in any_text(), detector in prop::sample::select(Detector::ALL.to_vec()),
    ) {
        let rules = output(vec![detecting(Action::Redact, &[detector])]);
        let (once, _) = whole(&rules, &text);
        let (twice, found) = whole(&rules, &once);
        prop_assert_eq!((&twice, found.len()), (&once, 0), "of {}", text);
    }
}
