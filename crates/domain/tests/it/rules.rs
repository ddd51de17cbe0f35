//! Labels, keys, names, time and the audit chain.

use proptest::prelude::*;
use topdog_domain::api_key::{ApiKey, KeyMode, Scope, TOKEN_LEN, Token, checksum};
use topdog_domain::audit::{Actor, AuditDraft, AuditEntry, ChainFault, ChainHash, ChainVerifier};
use topdog_domain::labels::{DataSegment, LabelDefaults, Labels, Plan, SentLabels};
use topdog_domain::tier::Limit;
use topdog_domain::{ApiKeyId, OrgId, Timestamp};

fn token() -> String {
    let signed = format!("td_live_{}{}", "0".repeat(12), "z".repeat(43));
    let sum = checksum(&signed);
    signed + std::str::from_utf8(&sum).unwrap()
}

#[test]
fn a_token_is_known_by_its_shape_and_sum() {
    let text = token();
    assert_eq!(text.len(), TOKEN_LEN);
    let parsed = Token::parse(&text).unwrap();
    assert_eq!((parsed.mode(), parsed.public_id().as_str()), (KeyMode::Live, "000000000000"));
    assert!(!format!("{parsed:?}").contains("zzzz"), "a token never prints its secret");
}

#[test]
fn any_slip_of_a_token_is_seen() {
    let text = token();
    for place in 0..text.len() {
        let mut slipped = text.clone().into_bytes();
        slipped[place] = if slipped[place] == b'a' { b'b' } else { b'a' };
        assert!(Token::parse(std::str::from_utf8(&slipped).unwrap()).is_none(), "at {place}");
        assert!(Token::parse(&text[..place]).is_none());
    }
}

#[test]
fn a_sum_makes_no_token_of_what_is_not_base_62() {
    for odd in ["-", "/", "\n", " "] {
        let signed = format!("td_live_{}{}{odd}", "0".repeat(12), "z".repeat(42));
        let text = signed.clone() + std::str::from_utf8(&checksum(&signed)).unwrap();
        assert_eq!(text.len(), TOKEN_LEN);
        assert!(Token::parse(&text).is_none(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_token_parser(text in "\\PC{0,90}") {
        let _ = Token::parse(&text);
    }

    #[test]
    fn days_and_instants_agree(micros in -10_000_000_000_000_000i64..10_000_000_000_000_000) {
        let at = Timestamp::from_micros(micros);
        prop_assert!(at.day().start() <= at && at < at.day().end());
        prop_assert_eq!(Timestamp::parse(&at.to_string()).unwrap(), at);
    }
}

fn labels(
    sent: (Option<Plan>, Option<DataSegment>),
    trusted: bool,
    tenant: Option<DataSegment>,
    d: &LabelDefaults,
) -> (Plan, DataSegment) {
    let sent = SentLabels { plan: sent.0, segment: sent.1 };
    let labels = Labels::of_tenant(sent, trusted, Plan::Pro, tenant, d);
    (labels.plan, labels.segment)
}

#[test]
fn a_header_makes_a_segment_stricter_never_laxer() {
    use DataSegment::{General, Medical, Scientific};
    let plain = LabelDefaults::default();
    let regulated = LabelDefaults { is_regulated_enabled: true, ..plain };
    for (sent, tenant, defaults, want) in [
        (None, None, &plain, General),
        (None, None, &regulated, Medical),
        (None, Some(General), &regulated, General),
        (None, Some(Scientific), &plain, Scientific),
        (Some(General), Some(Medical), &plain, Medical),
        (Some(Medical), Some(Scientific), &plain, Medical),
        (Some(Scientific), Some(Medical), &plain, Medical),
        (Some(Scientific), None, &plain, Scientific),
        (Some(General), None, &regulated, General),
    ] {
        assert_eq!(labels((None, sent), false, tenant, defaults).1, want, "{sent:?} {tenant:?}");
    }
}

#[test]
fn a_plan_header_is_believed_from_a_trusted_front_or_of_a_stranger_only() {
    let defaults = LabelDefaults::default();
    let sent = (Some(Plan::Enterprise), None);
    assert_eq!(labels(sent, false, None, &defaults).0, Plan::Pro);
    assert_eq!(labels(sent, true, None, &defaults).0, Plan::Enterprise);
    let stranger = SentLabels { plan: Some(Plan::Starter), segment: None };
    assert_eq!(Labels::of_stranger(stranger, &defaults).plan, Plan::Starter);
    assert_eq!(Labels::of_stranger(SentLabels::default(), &defaults).plan, Plan::Pro);
}

#[test]
fn a_label_outside_its_list_is_refused() {
    let none = SentLabels::default();
    assert!(none.with_plan(b"pro").is_err(), "the lists are exact");
    assert!(none.with_segment(b"Medical").is_err());
    assert!(none.with_plan(b"\xff").is_err());
    let good = none.with_plan(b"Starter").unwrap().with_segment(b"scientific").unwrap();
    assert_eq!((good.plan, good.segment), (Some(Plan::Starter), Some(DataSegment::Scientific)));
    assert!(good.with_plan(b"Pro").is_err(), "two plans contradict each other");
    for (second, strictest) in [("general", DataSegment::Scientific), ("medical", DataSegment::Medical)] {
        assert_eq!(good.with_segment(second.as_bytes()).unwrap().segment, Some(strictest));
    }
    assert!(good.with_segment(b"bogus").is_err());
}

fn key(models: &[&str], ips: &[&str]) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(),
        org: OrgId::new(),
        workspace: None,
        name: "k".into(),
        mode: KeyMode::Live,
        scopes: vec![Scope::Llm],
        models: models.iter().map(ToString::to_string).collect(),
        ip_allow: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
        llm_requests_per_day: Limit::Unlimited,
        expires_at: None,
        created_at: Timestamp::from_micros(0),
        revoked_at: None,
        secrets: Vec::new(),
    }
}

#[test]
fn a_key_is_bound_to_its_models_and_networks() {
    let bound = key(&["openai/gpt-4o", "mine/*", "o3"], &["10.0.0.0/8", "2001:db8::/32"]);
    assert!(
        bound.allows_model("openai", "gpt-4o")
            && bound.allows_model("mine", "x/y")
            && bound.allows_model("openai", "o3")
    );
    assert!(!bound.allows_model("other", "gpt-4o") && !bound.allows_model("openai", "gpt-4o-mini"));
    for (ip, is_in) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("11.0.0.1", false),
        ("2001:db8::1", true),
        ("::1", false),
    ] {
        assert_eq!(bound.allows_ip(ip.parse().unwrap()), is_in, "{ip}");
    }
    assert!(
        key(&[], &[]).allows_model("any", "thing") && key(&[], &[]).allows_ip("8.8.8.8".parse().unwrap())
    );
}

fn chain(org: OrgId, length: u64) -> Vec<AuditEntry> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    for n in 0..length {
        let draft = AuditDraft::new(Timestamp::from_micros(n as i64), org, Actor::Operator, "thing.do", n)
            .with("n", n);
        let (seq, hash) = entries.last().map_or((0, ChainHash::GENESIS), |e| (e.seq, e.hash));
        entries.push(AuditEntry::append(seq, hash, &draft));
    }
    entries
}

fn verify(org: OrgId, entries: &[AuditEntry], head: &AuditEntry) -> Result<(), ChainFault> {
    let mut verifier = ChainVerifier::new(org);
    entries.iter().try_for_each(|entry| verifier.next(entry))?;
    verifier.finish(head.seq, head.hash)
}

#[test]
fn a_chain_that_was_touched_does_not_verify() {
    let org = OrgId::new();
    let whole = chain(org, 6);
    let head = whole[5].clone();
    assert_eq!(verify(org, &whole, &head), Ok(()));
    let with = |change: fn(&mut Vec<AuditEntry>)| {
        let mut entries = whole.clone();
        change(&mut entries);
        verify(org, &entries, &head).unwrap_err()
    };
    assert_eq!(
        with(|e| {
            e.remove(0);
        }),
        ChainFault::Gap { seq: 1 }
    );
    assert_eq!(
        with(|e| {
            e.remove(3);
        }),
        ChainFault::Gap { seq: 4 }
    );
    assert_eq!(
        with(|e| {
            e.pop();
        }),
        ChainFault::Truncated { seq: 6 }
    );
    assert_eq!(
        with(|e| e[2].body = e[2].body.replace("thing.do", "thing.di")),
        ChainFault::Edited { seq: 3 }
    );
    assert_eq!(with(|e| e[2].hash.0[0] ^= 1), ChainFault::Edited { seq: 3 });
    assert_eq!(with(|e| e.swap(1, 2)), ChainFault::Gap { seq: 2 });
    assert_eq!(
        with(|e| {
            let copy = e[2].clone();
            e.insert(3, copy);
        }),
        ChainFault::Broken { seq: 3 }
    );
    let rewritten = chain(org, 6);
    assert!(
        matches!(verify(org, &rewritten, &head), Err(ChainFault::Broken { seq: 6 })),
        "a chain made anew has another head"
    );
    assert_eq!(verify(org, &whole, &whole[3]), Err(ChainFault::Beyond { seq: 5 }));
    let draft = AuditDraft::new(Timestamp::from_micros(1), org, Actor::System, "thing.do", 1);
    let elsewhere = AuditEntry { seq: 1, ..AuditEntry::append(8, ChainHash::GENESIS, &draft) };
    assert_eq!(verify(org, &[elsewhere], &head), Err(ChainFault::Moved { seq: 1 }));
    let other = OrgId::new();
    let foreign = chain(other, 6);
    assert_eq!(verify(org, &foreign, &foreign[5]), Err(ChainFault::Moved { seq: 1 }));
}
