//! What tokens cost: exact, never twice, never guessed.

use proptest::prelude::*;
use topdog_domain::Timestamp;
use topdog_domain::catalogue::{Entries, ModelCatalogue, Service};
use topdog_domain::usage::TokenUsage;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn now() -> Timestamp {
    at("2026-11-28T12:00:00Z")
}

/// A catalogue of one model with these prices.
fn priced(prices: &str) -> ModelCatalogue {
    let text = format!(r#"{{"models": [{{"provider": "p", "name": "m", "prices": [{prices}]}}]}}"#);
    ModelCatalogue::of([Entries::parse(&text).unwrap()])
}

fn cost_at(models: &ModelCatalogue, name: &str, time: Timestamp, tokens: TokenUsage) -> Option<i64> {
    models.cost(models.price(name, time, Service::Standard)?, &tokens)
}

fn cost(models: &ModelCatalogue, tokens: TokenUsage) -> Option<i64> {
    cost_at(models, "p/m", now(), tokens)
}

fn input(input: u64) -> TokenUsage {
    TokenUsage { input, ..TokenUsage::default() }
}

/// A bucket, by its place, of so many tokens.
fn bucket(place: usize, count: u64) -> TokenUsage {
    let mut tokens = TokenUsage::default();
    let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } = &mut tokens;
    *[input, cache_read, cache_write_5m, cache_write_1h, output, reasoning][place] = count;
    tokens
}

#[test]
fn each_bucket_counts_once_and_the_sum_is_rounded_up_once() {
    let models = priced(
        r#"{"input": "3", "cache_read": "0.3", "cache_write": "3.75", "cache_write_1h": "6", "output": "15",
            "reasoning": "20"}"#,
    );
    let tokens = TokenUsage {
        input: 1000,
        cache_read: 2000,
        cache_write_5m: 3000,
        cache_write_1h: 4000,
        output: 5000,
        reasoning: 6000,
    };
    assert_eq!(
        cost(&models, tokens),
        Some(3_000_000 + 600_000 + 11_250_000 + 24_000_000 + 75_000_000 + 120_000_000)
    );
    assert_eq!(cost(&models, TokenUsage::default()), Some(0));
    let tiny = priced(r#"{"input": "0.000001", "output": "0.000001"}"#);
    assert_eq!(cost(&tiny, input(1)), Some(1), "a thousandth of a nano-dollar is a nano-dollar");
    assert_eq!(cost(&tiny, TokenUsage { output: 1, ..input(1) }), Some(1), "and two thousandths are, too");
    assert_eq!(cost(&tiny, input(1001)), Some(2));
}

#[test]
fn reasoning_costs_what_output_does_where_nothing_else_is_said() {
    let models = priced(r#"{"input": "1", "output": "8"}"#);
    assert_eq!(cost(&models, TokenUsage { output: 500, reasoning: 500, ..input(0) }), Some(8_000_000));
}

/// litellm#9812: $0.091 was shown where $0.054 was billed, as cache-creation tokens were charged as input and again as
/// cache writes.
#[test]
fn litellm_9812_cache_writes_are_not_charged_as_input_too() {
    let models = ModelCatalogue::built_in().unwrap();
    let tokens = TokenUsage { input: 4, cache_write_5m: 12_304, output: 550, ..TokenUsage::default() };
    let billed = (4 * 3_000_000 + 12_304 * 3_750_000 + 550 * 15_000_000) / 1_000_000 * 1000;
    let told = cost_at(&models, "anthropic/claude-sonnet-4-5", now(), tokens).unwrap();
    assert!((told - billed).abs() <= 1000, "{told} and {billed}");
    assert!(told < 55_000_000, "five cents and a half at the most");
}

#[test]
fn what_a_bucket_costs_is_not_guessed() {
    let models = priced(r#"{"input": "3", "output": "15"}"#);
    for (place, is_known) in [true, false, false, false, true, true].into_iter().enumerate() {
        assert_eq!(cost(&models, bucket(place, 1)).is_some(), is_known, "bucket {place}");
        assert_eq!(cost(&models, bucket(place, 0)), Some(0), "what is not used costs nothing");
    }
    let embedding = priced(r#"{"input": "0.02"}"#);
    assert_eq!(cost(&embedding, input(1000)), Some(20_000));
    assert_eq!(cost(&embedding, TokenUsage { output: 1, ..input(1000) }), None);
}

#[test]
fn a_model_without_prices_has_no_cost_of_nothing() {
    let models = priced("");
    assert_eq!(models.price("p/m", now(), Service::Standard), None);
    assert_eq!(models.price("p/born-today", now(), Service::Standard), None);
    let free = priced(r#"{"input": "0", "output": "0"}"#);
    assert_eq!(cost(&free, input(5)), Some(0), "what is said to be free is");
}

#[test]
fn a_large_request_costs_the_higher_price_for_all_of_it() {
    let models = priced(
        r#"{"input": "1", "cache_read": "0.1", "cache_write": "2", "output": "4", "above": [
            {"tokens": 1000, "input": "3", "output": "6"}, {"tokens": 2000, "input": "9"}]}"#,
    );
    assert_eq!(cost(&models, input(1000)), Some(1_000_000), "at the boundary it is not above it");
    assert_eq!(cost(&models, input(1001)), Some(3_003_000));
    assert_eq!(cost(&models, input(2000)), Some(6_000_000));
    assert_eq!(cost(&models, input(2001)), Some(18_009_000));
    let cached = TokenUsage { cache_read: 500, cache_write_5m: 1, ..input(500) };
    assert_eq!(
        cost(&models, cached),
        Some(1_500_000 + 50_000 + 2_000),
        "cached input is input; its price stands"
    );
    let long = TokenUsage { output: 5000, ..input(1) };
    assert_eq!(cost(&models, long), Some(1_000 + 20_000_000), "output makes no request large");
    assert_eq!(cost(&models, TokenUsage { output: 10, ..input(2001) }), Some(18_009_000 + 40_000));
}

#[test]
fn a_price_applies_from_its_day_on_in_utc() {
    let models = priced(
        r#"{"from": "2026-01-01", "input": "1"}, {"from": "2026-10-14", "input": "2"}, {"from": "2027-01-01", "input": "3"}"#,
    );
    for (time, known) in [
        ("2025-12-31T23:59:59.999999Z", None),
        ("2026-01-01T00:00:00Z", Some(1_000)),
        ("2026-10-13T23:59:59.999999Z", Some(1_000)),
        ("2026-10-14T00:00:00Z", Some(2_000)),
        ("2026-10-14T01:59:00+02:00", Some(1_000)),
        ("2027-01-01T00:00:00Z", Some(3_000)),
        ("2099-01-01T00:00:00Z", Some(3_000)),
    ] {
        assert_eq!(cost_at(&models, "p/m", at(time), input(1)), known, "{time}");
    }
}

#[test]
fn a_price_may_be_of_hours() {
    let models = priced(
        r#"{"input": "1"}, {"hours": ["01:00", "04:00"], "input": "2"}, {"hours": ["22:30", "00:30"], "input": "3"}"#,
    );
    for (time, known) in [
        ("00:59:59", 1_000),
        ("01:00:00", 2_000),
        ("03:59:59", 2_000),
        ("04:00:00", 1_000),
        ("22:29:59", 1_000),
        ("22:30:00", 3_000),
        ("00:29:59", 3_000),
        ("00:30:00", 1_000),
    ] {
        let time = at(&format!("2026-11-28T{time}Z"));
        assert_eq!(cost_at(&models, "p/m", time, input(1)), Some(known), "{time}");
        let long_ago = Timestamp::from_micros(time.micros() - 60 * 365 * 86_400_000_000);
        assert_eq!(cost_at(&models, "p/m", long_ago, input(1)), Some(known), "{long_ago}");
    }
}

#[test]
fn a_batch_has_its_own_price_or_none() {
    let models = priced(
        r#"{"input": "2", "output": "8"}, {"from": "2026-10-14", "input": "2", "output": "8", "batch": {"input": "1"}}"#,
    );
    let batch = |time| models.price("p/m", at(time), Service::Batch);
    assert_eq!(batch("2026-10-13T00:00:00Z"), None, "it is not the price of what is served at once");
    let price = batch("2026-10-14T00:00:00Z").unwrap();
    assert_eq!(models.cost(price, &input(1000)), Some(1_000_000));
    assert_eq!(models.cost(price, &TokenUsage { output: 1, ..input(1000) }), None);
}

#[test]
fn a_request_may_cost_something_itself() {
    let models = priced(
        r#"{"input": "1", "output": "1", "request": "0.012", "above": [{"tokens": 10, "input": "2"}]}"#,
    );
    assert_eq!(cost(&models, TokenUsage::default()), Some(12_000_000));
    assert_eq!(cost(&models, input(10)), Some(12_010_000));
    assert_eq!(cost(&models, input(11)), Some(12_022_000));
}

#[test]
fn the_built_in_prices_are_those_of_the_list() {
    let models = ModelCatalogue::built_in().unwrap();
    let cost = |name: &str, tokens| cost_at(&models, name, now(), tokens);
    assert_eq!(cost("openai/gpt-4o-mini", input(1_000_000)), Some(150_000_000));
    let cached = TokenUsage { cache_read: 1_000_000, ..TokenUsage::default() };
    assert_eq!(cost("openai/gpt-4o-mini", cached), Some(75_000_000));
    assert_eq!(
        cost("anthropic/claude-sonnet-4-5", TokenUsage { output: 1_000_000, ..input(0) }),
        Some(15_000_000_000)
    );
    assert_eq!(cost("gemini/gemini-2.5-pro", input(200_000)), Some(250_000_000));
    assert_eq!(cost("gemini/gemini-2.5-pro", input(200_001)), Some(500_002_500));
    assert_eq!(cost("openai/whisper-1", input(1)), None, "it is sold by the minute");
    assert_eq!(cost("openai/dall-e-3", input(1)), None);
    let batch = models.price("openai/gpt-4o-mini", now(), Service::Batch).unwrap();
    assert_eq!(models.cost(batch, &input(1_000_000)), Some(75_000_000));
}

#[test]
fn what_is_made_for_other_media_than_text_has_no_price_of_text() {
    let models = ModelCatalogue::built_in().unwrap();
    let media = ["audio", "realtime", "transcribe", "image", "video"];
    let mut seen = 0;
    for model in models.iter() {
        for name in [&model.name].into_iter().chain(&model.also) {
            if media.iter().any(|medium| name.contains(medium)) {
                let price = models.price(&format!("{}/{name}", model.provider), now(), Service::Standard);
                assert_eq!(price, None, "{}/{name}", model.provider);
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn the_built_in_catalogue_knows_most_of_what_every_provider_sells() {
    let models = ModelCatalogue::built_in().unwrap();
    for provider in [
        "openai",
        "anthropic",
        "cohere",
        "gemini",
        "mistral",
        "groq",
        "together",
        "fireworks",
        "deepseek",
        "xai",
        "perplexity",
        "openrouter",
        "cerebras",
        "huggingface",
    ] {
        let names: Vec<_> = models.iter().filter(|m| m.provider.as_str() == provider).collect();
        let is_priced =
            |name: &str| cost_at(&models, &format!("{provider}/{name}"), now(), input(1)).is_some();
        let priced = names.iter().filter(|model| is_priced(&model.name)).count();
        assert!(
            !names.is_empty() && priced * 10 >= names.len() * 6,
            "{provider}: {priced} of {}",
            names.len()
        );
    }
}

fn dollars() -> impl Strategy<Value = String> {
    (0_u64..=1_000_000, 0_u64..1_000_000).prop_map(|(whole, millionths)| match whole {
        1_000_000 => "1000000".to_owned(),
        _ => format!("{whole}.{millionths:06}"),
    })
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..5000, any::<u64>(), Just(u64::MAX)]
}

/// Six prices, and higher ones for what is large.
fn sheet() -> impl Strategy<Value = (String, u64)> {
    (prop::array::uniform6(dollars()), 1_u64..4000).prop_map(|(prices, above)| {
        let [input, read, write, write_1h, output, reasoning] = prices;
        let text = format!(
            r#"{{"input": "{input}", "cache_read": "{read}", "cache_write": "{write}", "cache_write_1h": "{write_1h}",
                "output": "{output}", "reasoning": "{reasoning}", "above": [{{"tokens": {above}, "input": "1000000",
                "cache_read": "1000000", "cache_write": "1000000", "cache_write_1h": "1000000"}}]}}"#
        );
        (text, above)
    })
}

fn usage() -> impl Strategy<Value = TokenUsage> {
    prop::array::uniform6(count()).prop_map(
        |[input, cache_read, cache_write_5m, cache_write_1h, output, reasoning]| TokenUsage {
            input,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning,
        },
    )
}

fn plus(a: TokenUsage, b: TokenUsage) -> TokenUsage {
    TokenUsage {
        input: a.input.saturating_add(b.input),
        cache_read: a.cache_read.saturating_add(b.cache_read),
        cache_write_5m: a.cache_write_5m.saturating_add(b.cache_write_5m),
        cache_write_1h: a.cache_write_1h.saturating_add(b.cache_write_1h),
        output: a.output.saturating_add(b.output),
        reasoning: a.reasoning.saturating_add(b.reasoning),
    }
}

proptest! {
    #[test]
    fn more_tokens_never_cost_less_and_no_number_of_them_is_too_many(
        (sheet, _) in sheet(), tokens in usage(), place in 0_usize..6, more in count(),
    ) {
        let models = priced(&sheet);
        let less = cost(&models, tokens).unwrap();
        let most = cost(&models, plus(tokens, bucket(place, more))).unwrap();
        prop_assert!(0 <= less && less <= most);
    }

    #[test]
    fn a_sum_is_what_its_buckets_cost_but_for_the_rounding((sheet, above) in sheet(), counts in prop::array::uniform6(0_u64..600)) {
        let models = priced(&sheet);
        let buckets: Vec<_> = counts.iter().enumerate().map(|(place, count)| bucket(place, *count)).collect();
        let all = buckets.iter().fold(TokenUsage::default(), |sum, one| plus(sum, *one));
        prop_assume!(all.input + all.cache_read + all.cache_write_5m + all.cache_write_1h <= above);
        let each: i64 = buckets.iter().map(|one| cost(&models, *one).unwrap()).sum();
        let together = cost(&models, all).unwrap();
        prop_assert!(together <= each && each < together + 6, "{} and {}", together, each);
    }

    #[test]
    fn a_price_that_is_not_known_makes_the_cost_unknown_and_never_nothing(
        missing in 0_usize..5, tokens in usage(), count in 1_u64..,
    ) {
        let names = ["input", "cache_read", "cache_write", "cache_write_1h", "output"];
        let known: Vec<_> = names.iter().enumerate().filter(|(place, _)| *place != missing)
            .map(|(_, name)| format!(r#""{name}": "1""#)).collect();
        let models = priced(&format!("{{{}}}", known.join(", ")));
        prop_assert_eq!(cost(&models, plus(tokens, bucket(missing, count))), None);
    }

    #[test]
    fn of_prices_in_force_the_last_holds(days in prop::collection::btree_set(0_i64..20_000, 1..6), now in 0_i64..20_000) {
        let entries: Vec<_> = days.iter().enumerate().map(|(place, day)| {
            let date = topdog_domain::UtcDay::from_number(*day);
            format!(r#"{{"from": "{date}", "input": "{}"}}"#, place + 1)
        }).collect();
        let models = priced(&entries.join(", "));
        let expected = days.iter().filter(|day| **day <= now).count() as i64;
        let time = topdog_domain::UtcDay::from_number(now).start();
        let told = cost_at(&models, "p/m", time, input(1));
        prop_assert_eq!(told, (expected > 0).then_some(expected * 1000));
    }
}
