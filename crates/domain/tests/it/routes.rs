//! Routes of policies: what one must be like, which one is for a request, and that none opens what is closed.

use crate::policy::World;
use topdog_domain::policy::{Check, Policy, PolicyDocument, PolicyScope};
use topdog_domain::provider::Operation;
use topdog_domain::{Refusal, tier::TierName};

fn document(routes: &str) -> PolicyDocument {
    serde_json::from_str(&format!(
        r#"{{"aliases":{{"fast":"quick","quick":"openai/gpt-4o-mini"}},"routes":{routes}}}"#
    ))
    .unwrap()
}

/// The goals, or why there is none; and what was said of targets.
fn explained(world: &World, asked: &str) -> (Result<Vec<String>, Refusal>, Vec<String>) {
    let told = world.explain(asked, Operation::Chat);
    let targets = told.steps.iter().filter(|step| step.check == Check::Target);
    let targets = targets.map(|step| step.rule.clone()).collect();
    let goals = told.outcome.map(|goals| {
        goals.iter().map(|goal| format!("{}/{}", goal.provider, goal.model)).collect::<Vec<_>>()
    });
    (goals, targets)
}

#[test]
fn a_route_is_for_the_names_on_the_way_and_for_the_model() {
    for (pattern, asked, is_for_it) in [
        ("fast", "fast", true),
        ("quick", "fast", true),
        ("fast", "quick", false),
        ("openai/gpt-4o-mini", "fast", true),
        ("openai/*", "quick", true),
        ("*", "quick", true),
        ("gpt-4o*", "openai/gpt-4o-mini", true),
        ("Fast", "fast", false),
        ("anthropic/*", "fast", false),
    ] {
        let routes = format!(r#"[{{"for":["{pattern}"],"fallbacks":["openai/gpt-4o"]}}]"#);
        let (goals, _) = explained(&World::of_org(document(&routes)), asked);
        let mut expected = vec!["openai/gpt-4o-mini".to_owned()];
        expected.extend(is_for_it.then(|| "openai/gpt-4o".to_owned()));
        assert_eq!(goals, Ok(expected), "{pattern} for {asked}");
    }
}

#[test]
fn the_first_route_of_the_narrowest_scope_counts() {
    let route = |fallback: &str| document(&format!(r#"[{{"for":["*"],"fallbacks":["openai/{fallback}"]}}]"#));
    let twice = document(
        r#"[{"for":["other"],"fallbacks":["openai/a"]},{"for":["fast"],"fallbacks":["openai/b"]},{"for":["*"],"fallbacks":["openai/c"]}]"#,
    );
    let world = World::new("PRO-PLUS", [Some(route("org")), Some(route("workspace")), Some(twice)], |_| {});
    assert_eq!(explained(&world, "fast").0.unwrap()[1], "openai/b");
    let steps = world.explain("fast", Operation::Chat).steps;
    let step = steps.iter().find(|step| step.check == Check::Route).unwrap();
    assert!(matches!(step.scope, Some(PolicyScope::Key(_))) && step.rule.contains("`fast`"), "{step:?}");
    let world = World::new("PRO-PLUS", [Some(route("org")), Some(route("workspace")), None], |_| {});
    assert_eq!(explained(&world, "fast").0.unwrap()[1], "openai/workspace");
}

#[test]
fn a_route_opens_nothing_that_is_closed() {
    let mut wide = document(
        r#"[{"for":["fast"],"targets":["openai/gpt-4","openai/gpt-4o"],"fallbacks":["anthropic/claude-3","nobody/x","openai/gpt-3.5"]}]"#,
    );
    wide.deny = vec!["openai/gpt-4".to_owned()];
    let world = World::new("PRO-PLUS", [Some(wide), None, None], |key| {
        let models = ["openai/gpt-4o-mini", "openai/gpt-4", "openai/gpt-4o", "anthropic/*", "nobody/*"];
        key.models = models.map(str::to_owned).to_vec();
    });
    let (goals, targets) = explained(&world, "fast");
    assert_eq!(goals, Ok(vec!["openai/gpt-4o".to_owned()]));
    let refused = |target: &str, code: &str| format!("{target}: {code}");
    assert_eq!(
        targets,
        [
            refused("openai/gpt-4", "policy_denied"),
            "openai/gpt-4o".to_owned(),
            refused("anthropic/claude-3", "no_provider_key"),
            refused("nobody/x", "tier_limit"),
            refused("openai/gpt-3.5", "model_not_allowed"),
        ]
    );
    let closed = document(r#"[{"for":["fast"],"targets":["anthropic/claude-3"]}]"#);
    let (goals, _) = explained(&World::of_org(closed), "fast");
    assert!(matches!(goals, Err(Refusal::NoProviderKey(_))), "{goals:?}");
}

#[test]
fn a_named_key_is_that_one_or_none() {
    let by = |key: &str| {
        document(&format!(r#"[{{"for":["fast"],"targets":[{{"model":"openai/x","key":"{key}"}}]}}]"#))
    };
    assert_eq!(explained(&World::of_org(by("main")), "fast").0, Ok(vec!["openai/x".to_owned()]));
    let (goals, _) = explained(&World::of_org(by("other")), "fast");
    assert!(matches!(goals, Err(Refusal::NoProviderKey(_))), "no other key stands in: {goals:?}");
}

#[test]
fn a_lower_tier_follows_no_route() {
    let world = World::of_org(document(r#"[{"for":["openai/*"],"targets":["openai/gpt-4o"]}]"#));
    assert_eq!(explained(&world, "openai/gpt-4").0, Ok(vec!["openai/gpt-4o".to_owned()]));
    world.change(|facts| facts.organisation.tier = TierName::parse("FREE").unwrap());
    assert_eq!(explained(&world, "openai/gpt-4").0, Ok(vec!["openai/gpt-4".to_owned()]));
}

#[test]
fn a_bad_route_is_refused_with_its_number() {
    let eleven = [r#""openai/x""#; 11].join(",");
    let many = [r#"{"for":["x"]}"#; 51].join(",");
    let good = r#"{"for":["x"]}"#;
    for bad in [
        r#"{"for":[]}"#,
        r#"{"for":["a b"]}"#,
        r#"{"for":["x"],"targets":["gpt-4"]}"#,
        r#"{"for":["x"],"targets":["openai/"]}"#,
        r#"{"for":["x"],"targets":["openai/*"]}"#,
        r#"{"for":["x"],"targets":["Open AI/x"]}"#,
        r#"{"for":["x"],"targets":[{"model":"openai/x","weight":0}]}"#,
        r#"{"for":["x"],"targets":[{"model":"openai/x","weight":1001}]}"#,
        r#"{"for":["x"],"targets":[{"model":"openai/x","key":""}]}"#,
        r#"{"for":["x"],"targets":[{"model":"openai/x","key":"a\r\nb"}]}"#,
        r#"{"for":["x"],"on":[]}"#,
        r#"{"for":["x"],"retries":{"most":0}}"#,
        r#"{"for":["x"],"retries":{"most":6}}"#,
        r#"{"for":["x"],"retries":{"most":1,"budget_percent":0}}"#,
        r#"{"for":["x"],"retries":{"most":1,"budget_percent":101}}"#,
        r#"{"for":["x"],"retries":{"most":1,"first_wait_ms":0}}"#,
        r#"{"for":["x"],"timeouts":{"total_ms":0}}"#,
        r#"{"for":["x"],"timeouts":{"idle_ms":3600001}}"#,
        r#"{"for":["x"],"breaker":{"failures":0}}"#,
        r#"{"for":["x"],"breaker":{"probes":0}}"#,
        r#"{"for":["x"],"hedge_after_ms":0}"#,
        &format!(r#"{{"for":["x"],"fallbacks":[{eleven}]}}"#),
        &format!(r#"{{"for":[{eleven}]}}"#),
    ] {
        let refused = Policy::check(document(&format!("[{good},{bad}]"))).expect_err(bad);
        assert_eq!(refused.field, "routes", "{bad}");
        assert!(refused.message.starts_with("number 2: ") && !refused.message.contains('\n'), "{refused}");
    }
    assert_eq!(Policy::check(document(&format!("[{many}]"))).unwrap_err().field, "routes");
    for bad in [
        r#"{"for":["x"],"fallback":["openai/x"]}"#,
        r#"{"fallbacks":["openai/x"]}"#,
        r#"{"for":["x"],"targets":[{"model":"openai/x","region":"eu"}]}"#,
        r#"{"for":["x"],"on":["everything"]}"#,
        r#"{"for":["x"],"balance":"luck"}"#,
        r#"{"for":["x"],"retries":{}}"#,
    ] {
        let text = format!(r#"{{"routes":[{bad}]}}"#);
        assert!(serde_json::from_str::<PolicyDocument>(&text).is_err(), "{bad}");
    }
}

#[test]
fn a_route_is_the_same_when_it_was_written_and_read() {
    let full = document(
        r#"[{"for":["x"],"targets":["openai/a",{"model":"openai/b","key":"main","weight":3}],"balance":"cost",
            "fallbacks":["anthropic/c"],"on":["connect","timeout"],"retries":{"most":2},
            "timeouts":{"attempt_ms":1,"first_token_ms":2,"idle_ms":3,"total_ms":4},"breaker":{},"hedge_after_ms":5}]"#,
    );
    let text = serde_json::to_string(&full).unwrap();
    assert_eq!(Policy::stored(&text).unwrap().document(), &full);
    assert!(text.contains(r#""budget_percent":20"#), "what is not written is written out: {text}");
}
