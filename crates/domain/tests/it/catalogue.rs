//! The model catalogue: where names lead, and what its text may say.

use topdog_domain::catalogue::{Entries, ModelCatalogue, Resolved, Service, Unresolved};
use topdog_domain::{Refusal, Timestamp};

const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

fn is_provider(name: &str) -> bool {
    ["openai", "anthropic", "mistral", "groq", "together", "mine"].contains(&name)
}

fn lead<'a>(models: &ModelCatalogue, name: &'a str) -> Result<Resolved<'a>, Unresolved> {
    models.resolve(name, NOW, is_provider)
}

/// Provider, model, and whether the price is known.
fn led(models: &ModelCatalogue, name: &str) -> Option<(String, String, bool)> {
    lead(models, name).ok().map(|r| (r.provider.to_string(), r.model.to_owned(), r.price.is_some()))
}

fn to(provider: &str, model: &str, is_priced: bool) -> Option<(String, String, bool)> {
    Some((provider.to_owned(), model.to_owned(), is_priced))
}

fn catalogue(text: &str) -> ModelCatalogue {
    ModelCatalogue::of([Entries::parse(text).unwrap()])
}

#[test]
fn names_lead_where_they_should() {
    let models = ModelCatalogue::built_in().unwrap();
    let lead = |name| led(&models, name);
    assert_eq!(lead("gpt-4o-mini"), to("openai", "gpt-4o-mini", true));
    assert_eq!(lead("openai/gpt-4o-mini"), to("openai", "gpt-4o-mini", true));
    assert_eq!(
        lead("openai/born-today"),
        to("openai", "born-today", false),
        "a new model works the day it appears, its price unknown"
    );
    assert_eq!(lead("mine/org/model"), to("mine", "org/model", false));
    assert_eq!(lead("groq/openai/gpt-oss-120b"), to("groq", "openai/gpt-oss-120b", true));
    assert_eq!(lead("born-today"), None);
    assert_eq!(lead("nobody/gpt-4o-mini"), None);
    assert_eq!(lead("openai/"), None);
}

#[test]
fn a_dated_snapshot_is_the_model_that_it_is_of_where_the_catalogue_says_so() {
    let models = ModelCatalogue::built_in().unwrap();
    let lead = |name| led(&models, name);
    for name in ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5-2025-09-29", "claude-sonnet-4-5"] {
        assert_eq!(
            lead(name),
            to("anthropic", name, true),
            "the provider is sent the name that was asked for"
        );
        let full = format!("anthropic/{name}");
        let price = |name: &str| models.resolve(name, NOW, is_provider).unwrap().price;
        assert_eq!(price(&full), price("claude-sonnet-4-5"));
    }
    for name in [
        "claude-sonnet-4-5-2025092",
        "claude-sonnet-4-5-2025x929",
        "claude-sonnet-4-5-20250929x",
        "claude-sonnet-4-5-2025_09_29",
        "-20250929",
    ] {
        assert_eq!(lead(name), None, "{name} is no dated snapshot");
    }
    let undated = catalogue(r#"{"makers": ["openai"], "models": [{"provider": "openai", "name": "a"}]}"#);
    assert_eq!(led(&undated, "a-20250929"), None);
}

const SHARED: &str = r#"{"makers": ["openai", "mistral"], "models": [
    {"provider": "openai", "name": "made", "prices": [{"input": "1", "output": "1"}]},
    {"provider": "groq", "name": "made", "prices": [{"input": "2", "output": "2"}]},
    {"provider": "together", "name": "open", "also": ["open-*"]},
    {"provider": "groq", "name": "open-20260101"},
    {"provider": "groq", "name": "open"},
    {"provider": "groq", "name": "lonely"},
    {"provider": "openai", "name": "both"},
    {"provider": "mistral", "name": "both"}
]}"#;

#[test]
fn a_plain_name_leads_to_its_maker() {
    let models = catalogue(SHARED);
    let made = lead(&models, "made").unwrap();
    assert_eq!(made.provider.as_str(), "openai");
    assert_eq!(made.price, models.price("openai/made", NOW, Service::Standard));
    let hosted = lead(&models, "groq/made").unwrap();
    assert_eq!(hosted.price, models.price("groq/made", NOW, Service::Standard));
    assert_ne!(hosted.price, made.price, "each has its own price");
}

#[test]
fn a_plain_name_of_no_maker_is_refused_with_the_names_to_choose_from() {
    let models = catalogue(SHARED);
    for (name, candidates) in [
        ("open", vec!["groq/open", "together/open"]),
        ("open-20260101", vec!["groq/open-20260101"]),
        ("open-20260202", vec!["together/open-20260202"]),
        ("lonely", vec!["groq/lonely"]),
        ("both", vec!["mistral/both", "openai/both"]),
    ] {
        let candidates: Vec<String> = candidates.into_iter().map(str::to_owned).collect();
        for candidate in &candidates {
            assert!(lead(&models, candidate).is_ok(), "{candidate} can be asked for");
        }
        assert_eq!(lead(&models, name), Err(Unresolved::Ambiguous { candidates }), "{name}");
    }
}

#[test]
fn a_host_that_lists_a_makers_snapshot_hides_it_from_nobody() {
    let models = ModelCatalogue::built_in().unwrap();
    let listed = "claude-3.5-sonnet-20240620";
    assert!(models.price(&format!("openrouter/{listed}"), NOW, Service::Standard).is_some());
    assert_eq!(led(&models, listed), to("anthropic", listed, true));
}

#[test]
fn the_built_in_catalogue_lets_no_host_take_a_makers_name() {
    let models = ModelCatalogue::built_in().unwrap();
    let hosts = ["groq", "together", "fireworks", "openrouter", "cerebras", "huggingface", "nvidia"];
    let mut led_to = 0;
    for model in models.iter() {
        let anyone = |_: &str| false;
        if let Ok(resolved) = models.resolve(&model.name, NOW, anyone) {
            assert!(!hosts.contains(&resolved.provider.as_str()), "{} leads to a host", model.name);
            led_to += 1;
        }
        assert_eq!(
            models.is_led_to(model),
            models.resolve(&model.name, NOW, anyone).is_ok_and(|r| r.provider == model.provider)
        );
    }
    assert!(led_to > 200, "{led_to}");
}

#[test]
fn a_name_that_is_not_known_is_answered_with_the_nearest() {
    let models = ModelCatalogue::built_in().unwrap();
    assert!(models.nearest("gpt-4o-mni").contains(&"gpt-4o-mini".to_owned()));
    assert!(models.nearest("completely-unlike-anything-known-here").is_empty());
    let refusal = lead(&models, "claude-sonnet-4.6x").unwrap_err().refusal("claude-sonnet-4.6x".to_owned());
    let Refusal::UnknownModel { nearest, .. } = models.advise(refusal) else { panic!("it is known") };
    assert!(nearest.iter().any(|name| name.starts_with("claude-sonnet-4")), "{nearest:?}");
    for near in nearest {
        assert!(lead(&models, &near).is_ok(), "{near} can be asked for");
    }
}

#[test]
fn what_the_operator_says_of_a_model_holds() {
    let entries = Entries::parse(
        r#"{"about": {"source": "our contract"}, "models": [
            {"provider": "openai", "name": "gpt-4o-mini", "prices": [{"input": "0.1", "output": "0.2"}]},
            {"provider": "openai", "name": "gpt-4o-2024-08-06", "prices": [{"input": "9", "output": "9"}]},
            {"provider": "mine", "name": "org/model", "prices": [{"input": "7", "output": "7"}]},
            {"provider": "anthropic", "name": "claude-sonnet-4-5"}
        ]}"#,
    )
    .unwrap();
    let models = ModelCatalogue::overridden_by(entries).unwrap();
    let cost = |name: &str| {
        let tokens = topdog_domain::usage::TokenUsage { input: 1000, ..Default::default() };
        models.cost(models.resolve(name, NOW, is_provider).unwrap().price?, &tokens)
    };
    assert_eq!(cost("gpt-4o-mini"), Some(100_000));
    assert_eq!(cost("openai/gpt-4o-mini"), Some(100_000));
    assert_eq!(
        cost("gpt-4o-2024-08-06"),
        Some(9_000_000),
        "although it is another name of a model that is built in"
    );
    assert_eq!(cost("gpt-4o"), Some(2_500_000), "which keeps its own");
    assert_eq!(cost("mine/org/model"), Some(7_000_000));
    assert_eq!(cost("claude-sonnet-4-5"), None, "what is said to be unknown is");
    assert_eq!(
        models.iter().filter(|m| m.name == "gpt-4o-mini" && m.provider.as_str() == "openai").count(),
        1
    );
}

#[test]
fn the_operator_may_name_more_makers() {
    let entries = |makers: &str| {
        Entries::parse(&format!(r#"{{{makers} "models": [{{"provider": "mine", "name": "large-1"}}]}}"#))
            .unwrap()
    };
    let hosted = ModelCatalogue::overridden_by(entries("")).unwrap();
    let candidates = vec!["mine/large-1".to_owned()];
    assert_eq!(lead(&hosted, "large-1"), Err(Unresolved::Ambiguous { candidates }));
    let made = ModelCatalogue::overridden_by(entries(r#""makers": ["mine"],"#)).unwrap();
    assert_eq!(led(&made, "large-1"), to("mine", "large-1", false));
    assert_eq!(led(&made, "gpt-4o-mini"), to("openai", "gpt-4o-mini", true), "and the others stay");
}

#[test]
fn a_text_that_makes_no_sense_is_refused_with_its_place() {
    let model = |inner: &str| format!(r#"{{"models": [{{"provider": "p", "name": "m", {inner}}}]}}"#);
    let prices = |inner: &str| model(&format!(r#""prices": [{inner}]"#));
    for (text, said) in [
        (prices(r#"{"imput": "1"}"#), "unknown field `imput`"),
        (prices(r#"{"input": 1.5}"#), "expected a string"),
        (prices(r#"{"input": "-1"}"#), "`-1` is no price; write dollars in quotes, such as \"0.15\""),
        (prices(r#"{"input": "1e3"}"#), "`1e3` is no price"),
        (prices(r#"{"input": ""}"#), "`` is no price"),
        (prices(r#"{"input": "."}"#), "`.` is no price"),
        (prices(r#"{"input": "0.0000001"}"#), "`0.0000001` is no price"),
        (prices(r#"{"input": "1000000.000001"}"#), "is no price"),
        (prices(r#"{"from": "2026-13-01"}"#), "`2026-13-01` is no date such as 2026-10-14"),
        (prices(r#"{"from": "2026-10-14T00:00:00Z"}"#), "is no date"),
        (prices(r#"{"hours": ["8:00", "10:00"]}"#), "`8:00` is no time such as 16:30"),
        (prices(r#"{"hours": ["24:01", "10:00"]}"#), "is no time"),
        (prices(r#"{"hours": ["08:00", "08:00"]}"#), "p/m: `hours` from and until the same are none"),
        (prices(r#"{"from": "2026-10-14"}, {"from": "2026-10-13"}"#), "p/m: its prices are not in the order"),
        (prices(r#"{"tokens": 1}"#), "p/m: `from`, `hours` and `batch` are for a price, `tokens` for"),
        (prices(r#"{"batch": {"from": "2026-10-14"}}"#), "p/m: `from`, `hours` and `batch` are for a price"),
        (prices(r#"{"above": [{"input": "1"}]}"#), "p/m: what is in `above` needs `tokens`"),
        (prices(r#"{"above": [{"tokens": 2}, {"tokens": 2}]}"#), "p/m: what is in `above` goes by `tokens`"),
        (
            prices(r#"{"above": [{"tokens": 2, "request": "1"}]}"#),
            "p/m: what is in `above` holds `tokens` and",
        ),
        (model(r#""also": ["m"]"#), "p/m: one of its names is there twice"),
        (model(r#""also": ["a b"]"#), "p/m: a name is 1 to 256 visible ASCII characters"),
        (model(r#""price": {}"#), "unknown field `price`"),
        (
            r#"{"models": [{"provider": "P", "name": "m"}]}"#.to_owned(),
            "a provider name is 1 to 64 lower-case",
        ),
        (
            r#"{"models": [{"provider": "p", "name": "m-*"}]}"#.to_owned(),
            "p/m-*: its own name can't be a pattern",
        ),
        (r#"[{"provider": "p", "name": "m"}]"#.to_owned(), "line 1 column"),
        ("{".to_owned(), "line 1 column 1"),
    ] {
        let error = Entries::parse(&text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}
