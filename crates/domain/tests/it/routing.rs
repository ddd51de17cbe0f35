//! Attempts in virtual time: retries, fallbacks, hedges, breakers and balancing, with no clock and no chance but what is
//! handed in.

use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use topdog_domain::ProviderKeyId;
use topdog_domain::provider::ProviderName;
use topdog_domain::routing::{
    Admission, Attempts, Balance, Breaker, BreakerRules, Budget, Candidate, Failure, FailureSet, Health,
    Place, Retries, Rules, Step, Ticket, Timeouts, order,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn retries(most: u32) -> Retries {
    Retries { most, budget_percent: 20, first: ms(100), longest: ms(1_000), longest_retry_after: ms(5_000) }
}

fn rules() -> Rules {
    Rules { on: FailureSet::default(), ..Rules::default() }
}

const BREAKER: BreakerRules = BreakerRules { failures: 3, open: Duration::from_secs(10), probes: 2 };

fn yes(_: usize) -> Admission {
    Admission::Yes(Ticket::Usual)
}

/// Plays attempts that all fail so, until none is left: the targets that were asked, and how long it took.
fn played(rules: Rules, targets: usize, failure: Failure, told: Option<Duration>) -> (Vec<usize>, Duration) {
    let start = Instant::now();
    let (mut now, mut asked) = (start, Vec::new());
    let mut attempts = Attempts::new(rules, targets, 0, start);
    loop {
        match attempts.next(now, yes) {
            Step::Send { target, .. } => {
                asked.push(target);
                attempts.failed(failure, told, now, u64::MAX, || true);
            }
            Step::WaitUntil(due) => {
                assert!(due > now);
                now = due;
            }
            Step::GiveUp => return (asked, now - start),
        }
    }
}

#[test]
fn what_nobody_can_be_charged_for_twice_is_tried_elsewhere_and_nothing_else() {
    for failure in Failure::ALL {
        let usual =
            !matches!(failure, Failure::Timeout | Failure::Broken | Failure::KeyRejected | Failure::TooLong);
        let expected = if usual { vec![0, 1, 2] } else { vec![0] };
        assert_eq!(played(rules(), 3, failure, None).0, expected, "{failure}");
        assert!(!(usual && failure.may_have_cost()), "{failure}");
        let named = Rules { on: FailureSet::of(&[failure]), ..rules() };
        assert_eq!(played(named, 3, failure, None).0, [0, 1, 2], "{failure} is named");
    }
}

#[test]
fn the_same_place_is_asked_again_before_the_next_but_not_for_what_stays_so() {
    let rules = Rules { retries: Some(retries(2)), ..rules() };
    assert_eq!(played(rules, 2, Failure::Overloaded, None).0, [0, 0, 0, 1, 1, 1]);
    assert_eq!(
        played(rules, 2, Failure::Quota, None).0,
        [0, 1],
        "a used-up account is used up a second later, too"
    );
    let all = Rules { on: FailureSet::of(&Failure::ALL), ..rules };
    assert_eq!(played(all, 2, Failure::KeyRejected, None).0, [0, 1]);
    assert_eq!(played(all, 2, Failure::Timeout, None).0, [0, 0, 0, 1, 1, 1]);
}

#[test]
fn waits_double_up_to_a_bound_and_are_any_part_of_it() {
    let retries = retries(5);
    for (retry, bound) in [100, 200, 400, 800, 1_000].into_iter().enumerate() {
        let retry = u32::try_from(retry).unwrap();
        let waits: Vec<Duration> =
            (0..2_000).map(|n| retries.wait(retry, None, n * 7_919).unwrap()).collect();
        assert!(waits.iter().all(|wait| *wait <= ms(bound)), "{retry}");
        assert!(waits.iter().any(|wait| *wait > ms(bound) * 9 / 10), "{retry} comes near its bound");
        assert!(waits.iter().any(|wait| *wait < ms(bound) / 10), "{retry} comes near nothing");
    }
    assert_eq!(retries.wait(5, None, 0), None, "there are no more");
}

#[test]
fn a_place_that_asks_for_patience_gets_it_or_is_left() {
    let retries = retries(1);
    let wait = retries.wait(0, Some(ms(3_000)), 12_345).unwrap();
    assert!(wait >= ms(3_000) && wait <= ms(3_100), "{wait:?}");
    assert_eq!(retries.wait(0, Some(ms(5_001)), 0), None);
    let rules = Rules { retries: Some(retries), ..rules() };
    let (asked, took) = played(rules, 2, Failure::RateLimited, Some(ms(4_000)));
    assert_eq!(asked, [0, 0, 1, 1]);
    assert!(took >= ms(8_000), "{took:?}");
    assert_eq!(played(rules, 2, Failure::RateLimited, Some(ms(60_000))), (vec![0, 1], Duration::ZERO));
}

#[test]
fn nothing_begins_after_the_whole_time_and_no_wait_reaches_past_it() {
    let timeouts = Timeouts { total: Some(ms(3_500)), ..Timeouts::default() };
    let rules = Rules { retries: Some(retries(5)), timeouts, ..rules() };
    let (asked, took) = played(rules, 1, Failure::RateLimited, Some(ms(1_000)));
    assert!(took < ms(3_500) && asked.len() == 4, "{asked:?} {took:?}");
    let start = Instant::now();
    let mut attempts = Attempts::new(rules, 3, 0, start);
    assert_eq!(attempts.next(start + ms(3_500), yes), Step::GiveUp);
    assert_eq!(attempts.hedge(start + ms(3_500), yes, || true), None);
}

#[test]
fn retries_are_a_share_of_the_requests() {
    let health = Health::default();
    let mut retried = 0;
    for _ in 0..1_000 {
        health.pay_in(20);
        // Everything fails, and each request would like three.
        retried += (0..3).take_while(|_| health.take_retry()).count();
    }
    assert!((200..=210).contains(&retried), "{retried} for 1,000 requests at 20 %, and ten saved up");
    let mut budget = Budget::default();
    (0..1_000).for_each(|_| budget.pay_in(100));
    assert_eq!((0..100).take_while(|_| budget.take()).count(), 10, "an idle night saves up no storm");
}

#[test]
fn without_a_share_left_the_next_target_is_asked_at_once() {
    let start = Instant::now();
    let mut attempts = Attempts::new(Rules { retries: Some(retries(3)), ..rules() }, 2, 0, start);
    assert!(matches!(attempts.next(start, yes), Step::Send { target: 0, .. }));
    attempts.failed(Failure::ServerError, None, start, 1, || false);
    assert!(matches!(attempts.next(start, yes), Step::Send { target: 1, .. }));
}

#[test]
fn a_breaker_opens_lets_single_probes_through_and_closes() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut breaker = Breaker::default();
    for _ in 0..2 {
        breaker.failed(&BREAKER, Ticket::Usual, at(0));
    }
    breaker.went_well(&BREAKER, Ticket::Usual);
    for _ in 0..3 {
        assert_eq!(breaker.admit(&BREAKER, at(1)), Admission::Yes(Ticket::Usual));
        breaker.failed(&BREAKER, Ticket::Usual, at(1));
    }
    assert_eq!(breaker.admit(&BREAKER, at(2)), Admission::OpenUntil(at(11)));
    breaker.went_well(&BREAKER, Ticket::Usual);
    assert_eq!(
        breaker.admit(&BREAKER, at(2)),
        Admission::OpenUntil(at(11)),
        "what was sent before tells nothing"
    );
    assert_eq!(breaker.admit(&BREAKER, at(11)), Admission::Yes(Ticket::Probe));
    assert_eq!(breaker.admit(&BREAKER, at(11)), Admission::OpenUntil(at(21)), "one probe at a time");
    breaker.failed(&BREAKER, Ticket::Probe, at(12));
    assert_eq!(
        breaker.admit(&BREAKER, at(21)),
        Admission::OpenUntil(at(22)),
        "a failed probe opens it again"
    );
    assert_eq!(breaker.admit(&BREAKER, at(22)), Admission::Yes(Ticket::Probe));
    breaker.went_well(&BREAKER, Ticket::Probe);
    assert_eq!(breaker.admit(&BREAKER, at(22)), Admission::Yes(Ticket::Probe), "two in a row are wanted");
    breaker.went_well(&BREAKER, Ticket::Probe);
    assert_eq!(breaker.admit(&BREAKER, at(22)), Admission::Yes(Ticket::Usual));
    assert!(breaker.is_well());
}

#[test]
fn a_probe_that_is_never_heard_of_does_not_keep_the_breaker_open() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut breaker = Breaker::default();
    (0..3).for_each(|_| breaker.failed(&BREAKER, Ticket::Usual, at(0)));
    assert_eq!(breaker.admit(&BREAKER, at(10)), Admission::Yes(Ticket::Probe));
    assert_eq!(breaker.admit(&BREAKER, at(19)), Admission::OpenUntil(at(20)));
    assert_eq!(breaker.admit(&BREAKER, at(20)), Admission::Yes(Ticket::Probe));
    breaker.learnt_nothing(Ticket::Probe);
    assert_eq!(
        breaker.admit(&BREAKER, at(20)),
        Admission::Yes(Ticket::Probe),
        "given up, it is free at once"
    );
}

fn place(model: &str, key: Option<ProviderKeyId>) -> Place {
    Place { provider: ProviderName::parse("openai").unwrap(), key, model: model.into() }
}

#[test]
fn what_one_key_suffers_says_nothing_of_another() {
    let (health, now) = (Health::default(), Instant::now());
    let (one, other) = (place("m", Some(ProviderKeyId::new())), place("m", Some(ProviderKeyId::new())));
    (0..3).for_each(|_| health.failed(&one, Ticket::Usual, Some(&BREAKER), now));
    assert!(matches!(health.admit(&one, Some(&BREAKER), now), Admission::OpenUntil(_)));
    assert_eq!(health.admit(&other, Some(&BREAKER), now), Admission::Yes(Ticket::Usual));
    assert_eq!(
        health.admit(&one, None, now),
        Admission::Yes(Ticket::Usual),
        "a route without a breaker has none"
    );
}

#[test]
fn made_up_models_fill_no_memory_and_wipe_out_no_open_breaker() {
    let (health, now) = (Health::default(), Instant::now());
    let sick = place("sick", None);
    (0..3).for_each(|_| health.failed(&sick, Ticket::Usual, Some(&BREAKER), now));
    for n in 0..10_000u32 {
        health.admit(&place(&n.to_string(), None), Some(&BREAKER), now + ms(n.into()));
    }
    assert!(health.len() <= 256, "{}", health.len());
    assert!(matches!(health.admit(&sick, Some(&BREAKER), now + ms(1)), Admission::OpenUntil(_)));
}

#[test]
fn latency_is_smoothed_and_forgotten() {
    let (health, now) = (Health::default(), Instant::now());
    let place = place("m", None);
    assert_eq!(health.latency(&place, now), None);
    health.went_well(&place, Ticket::Usual, None, Some(ms(400)), now);
    health.went_well(&place, Ticket::Usual, None, Some(ms(800)), now);
    assert_eq!(health.latency(&place, now), Some(ms(500)));
    health.went_well(&place, Ticket::Usual, None, None, now);
    assert_eq!(health.latency(&place, now), Some(ms(500)), "an error that came fast is no speed");
    assert_eq!(health.latency(&place, now + Duration::from_secs(60)), Some(ms(125)));
    assert_eq!(health.latency(&place, now + Duration::from_secs(100_000)), None);
}

fn weighed(weights: &[u32]) -> Vec<Candidate> {
    weights.iter().map(|weight| Candidate { weight: *weight, latency: None, cost: None }).collect()
}

/// A source of chance that is the same each time.
fn chance() -> impl FnMut() -> u64 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 17
    }
}

#[test]
fn each_target_is_first_as_often_as_its_weight_says() {
    let (candidates, mut random) = (weighed(&[1, 2, 7]), chance());
    let mut first = BTreeMap::new();
    for _ in 0..10_000 {
        *first.entry(order(Balance::Weight, &candidates, &mut random)[0]).or_insert(0u32) += 1;
    }
    for (target, expected) in [(0, 1_000), (1, 2_000), (2, 7_000)] {
        let came = first[&target];
        assert!(came.abs_diff(expected) < 200, "{target}: {came} for {expected}");
    }
}

#[test]
fn the_fastest_and_the_cheapest_come_first_and_the_unknown_where_it_must() {
    let mut candidates = weighed(&[1, 1, 1]);
    candidates[0].latency = Some(ms(300));
    candidates[1].latency = Some(ms(200));
    candidates[0].cost = Some(2);
    candidates[2].cost = Some(9);
    for _ in 0..50 {
        assert_eq!(order(Balance::Latency, &candidates, chance()), [2, 1, 0], "who is unknown is tried");
        assert_eq!(
            order(Balance::Cost, &candidates, chance()),
            [0, 2, 1],
            "what has no known price is no bargain"
        );
    }
}

#[test]
fn a_hedge_goes_to_the_next_place_once_and_costs_a_retry() {
    let start = Instant::now();
    let hedged = Rules { hedge_after: Some(ms(50)), ..rules() };
    let mut attempts = Attempts::new(hedged, 3, 0, start);
    assert!(matches!(attempts.next(start, yes), Step::Send { target: 0, .. }));
    assert_eq!(attempts.hedge(start, yes, || true), Some((1, Ticket::Usual)));
    assert_eq!(attempts.hedge(start, yes, || true), None, "one a request");
    attempts.failed(Failure::Overloaded, None, start, 0, || true);
    assert!(matches!(attempts.next(start, yes), Step::Send { target: 2, .. }), "both have failed");
    assert_eq!(attempts.made(), 3);
    let mut alone = Attempts::new(hedged, 1, 0, start);
    alone.next(start, yes);
    assert_eq!(alone.hedge(start, yes, || true), Some((0, Ticket::Usual)), "the only place is asked twice");
    let mut poor = Attempts::new(hedged, 2, 0, start);
    poor.next(start, yes);
    assert_eq!(poor.hedge(start, yes, || false), None);
    let mut plain = Attempts::new(rules(), 2, 0, start);
    plain.next(start, yes);
    assert_eq!(plain.hedge(start, yes, || true), None, "nobody asked for one");
}

#[test]
fn places_that_are_left_alone_are_passed_over() {
    let now = Instant::now();
    let admit = |target| if target == 2 { yes(target) } else { Admission::OpenUntil(now) };
    let mut attempts = Attempts::new(rules(), 3, 0, now);
    assert!(matches!(attempts.next(now, admit), Step::Send { target: 2, .. }));
    let mut none = Attempts::new(rules(), 2, 0, now);
    assert_eq!(none.next(now, admit), Step::GiveUp);
    assert_eq!(none.made(), 0);
}

proptest! {
    #[test]
    fn every_way_ends_and_asks_no_place_too_often(
        targets in 1usize..6,
        most in 0u32..4,
        total in proptest::option::of(1u64..5_000),
        script in vec((0usize..9, proptest::option::of(0u64..9_000), any::<u64>(), any::<bool>(), 0u64..400), 100),
        closed in vec(any::<bool>(), 6),
    ) {
        let timeouts = Timeouts { total: total.map(ms), ..Timeouts::default() };
        let retries = (most > 0).then(|| retries(most));
        let rules = Rules { on: FailureSet::of(&Failure::ALL), retries, timeouts, ..rules() };
        let start = Instant::now();
        let mut now = start;
        let mut attempts = Attempts::new(rules, targets, 0, start);
        let mut asked = vec![0u32; targets];
        let mut last = 0;
        let mut script = script.into_iter();
        loop {
            let admit = |target: usize| if closed[target] { Admission::OpenUntil(now) } else { yes(target) };
            match attempts.next(now, admit) {
                Step::GiveUp => break,
                Step::WaitUntil(due) => {
                    prop_assert!(due > now);
                    prop_assert!(total.is_none_or(|total| due < start + ms(total)), "no wait past the end");
                    now = due;
                }
                Step::Send { target, .. } => {
                    prop_assert!(!closed[target]);
                    prop_assert!(target >= last, "none is gone back to");
                    prop_assert!(total.is_none_or(|total| now < start + ms(total)));
                    last = target;
                    asked[target] += 1;
                    let (failure, told, random, may_cost, took) = script.next().expect("it ends");
                    now += ms(took);
                    attempts.failed(Failure::ALL[failure], told.map(ms), now, random, || may_cost);
                }
            }
        }
        prop_assert!(asked.iter().all(|asked| *asked <= most + 1), "{asked:?}");
        prop_assert_eq!(asked.iter().sum::<u32>(), attempts.made());
    }

    #[test]
    fn an_order_has_each_target_once(weights in vec(1u32..1_000, 1..10), seed in any::<u64>()) {
        let mut seed = seed;
        let mut ordered = order(Balance::Weight, &weighed(&weights), || { seed = seed.wrapping_add(0x9e37_79b9); seed });
        ordered.sort_unstable();
        prop_assert_eq!(ordered, (0..weights.len()).collect::<Vec<_>>());
    }
}
