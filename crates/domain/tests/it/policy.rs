//! Policies: what one must be like, how scopes hold together, and what they make of a request.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::sync::Arc;
use topdog_domain::api_key::{ApiKey, KeyMode, Scope};
use topdog_domain::catalogue::Resolved;
use topdog_domain::directory::{Caller, Directory, OrgFacts};
use topdog_domain::fakes::samples;
use topdog_domain::policy::checked::{LONGEST_CHAIN, MOST_RULES};
use topdog_domain::policy::document::Aliases;
use topdog_domain::policy::explain::{Explained, Ground, explain};
use topdog_domain::policy::pick::DenyingRule;
use topdog_domain::policy::{Check, Policy, PolicyDocument, PolicyInForce, PolicyScope};
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::tier::{Tier, TierCatalogue};
use topdog_domain::{Refusal, WorkspaceId};

/// The only providers and plain names there are.
const PROVIDERS: [&str; 3] = ["openai", "anthropic", "mine"];

fn resolve(name: &str) -> Result<Resolved<'_>, Refusal> {
    let found = |provider: &str, model| {
        Ok(Resolved { provider: ProviderName::parse(provider).unwrap(), model, price: None })
    };
    match name.split_once('/') {
        Some((provider, model)) if PROVIDERS.contains(&provider) && !model.is_empty() => {
            found(provider, model)
        }
        _ if name.starts_with("gpt-") => found("openai", name),
        _ if name.starts_with("claude-") => found("anthropic", name),
        _ => Err(Refusal::UnknownModel { model: name.to_owned(), nearest: Vec::new() }),
    }
}

fn document(aliases: &[(&str, &str)], allow: Option<&[&str]>, deny: &[&str]) -> PolicyDocument {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    PolicyDocument {
        aliases: Aliases(aliases.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()),
        allow: allow.map(owned),
        deny: owned(deny),
        ..PolicyDocument::default()
    }
}

/// Policies of organisation, workspace and key.
pub(crate) type Three = [Option<PolicyDocument>; 3];

pub(crate) struct World {
    directory: Directory,
    key: ApiKey,
}

impl World {
    pub(crate) fn new(tier: &str, policies: Three, change: impl FnOnce(&mut ApiKey)) -> Self {
        let new = samples::organisation("acme", tier);
        let org = new.organisation.id;
        let mut key = samples::api_key(org, "ci");
        key.workspace = Some(new.workspace.id);
        change(&mut key);
        let scopes =
            [PolicyScope::Organisation, PolicyScope::Workspace(new.workspace.id), PolicyScope::Key(key.id)];
        let in_force = |(scope, document): (PolicyScope, Option<PolicyDocument>)| {
            let policy = Policy::check(document?).expect("a good policy");
            Some(PolicyInForce {
                scope,
                version: 1,
                since: samples::NEW_YEAR,
                policy: Some(Arc::new(policy)),
            })
        };
        let facts = OrgFacts {
            organisation: new.organisation,
            workspaces: vec![new.workspace],
            api_keys: vec![key.clone()],
            provider_keys: vec![samples::provider_key(org, "main")],
            endpoints: Vec::new(),
            policies: scopes.into_iter().zip(policies).filter_map(in_force).collect(),
        };
        let directory = Directory::new(TierCatalogue::new(Tier::standard_catalogue()));
        directory.replace_org(org, Some(facts));
        Self { directory, key }
    }

    pub(crate) fn of_org(policy: PolicyDocument) -> Self {
        Self::new("PRO-PLUS", [Some(policy), None, None], |_| {})
    }

    fn caller(&self) -> Caller {
        self.directory.snapshot().caller(&self.key.secrets[0].public_id).unwrap().clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut OrgFacts)) {
        let mut facts = self.caller().org.facts.clone();
        change(&mut facts);
        self.directory.replace_org(facts.organisation.id, Some(facts));
    }

    /// `provider/model`, or why not.
    fn pick(&self, asked: &str) -> Result<String, Refusal> {
        let (caller, tiers) = (self.caller(), self.directory.tiers());
        let asking = caller.asking(&tiers);
        let picked = asking.pick(asked, |provider| provider == "test", resolve, &mut ())?;
        Ok(format!("{}/{}", picked.provider, picked.model))
    }

    pub(crate) fn explain(&self, asked: &str, operation: Operation) -> Explained {
        let (caller, tiers) = (self.caller(), self.directory.tiers());
        let ground = Ground {
            resolve: &resolve,
            is_configured: &|name| name == "openai" || name == "anthropic",
            has_test_provider: false,
        };
        explain(&caller.asking(&tiers), operation, asked, &ground)
    }

    #[track_caller]
    fn denied(&self, asked: &str) -> (PolicyScope, DenyingRule) {
        match self.pick(asked) {
            Err(Refusal::PolicyDenied(denial)) => (denial.scope, denial.rule),
            other => panic!("{asked} is not denied: {other:?}"),
        }
    }
}

fn by(pattern: &str) -> DenyingRule {
    DenyingRule::Deny(pattern.to_owned())
}

#[test]
fn without_a_policy_nothing_is_asked() {
    let world = World::new("PRO-PLUS", [None, None, None], |_| {});
    assert!(world.caller().policy.is_none());
    assert_eq!(world.pick("gpt-4o"), Ok("openai/gpt-4o".to_owned()));
}

#[test]
fn an_alias_leads_to_its_model_by_any_number_of_aliases() {
    let world = World::of_org(document(
        &[("fast", "small"), ("small", "openai/gpt-4o-mini"), ("gpt-4o", "fast")],
        None,
        &[],
    ));
    for asked in ["fast", "small", "gpt-4o", "openai/gpt-4o-mini", "gpt-4o-mini"] {
        assert_eq!(world.pick(asked), Ok("openai/gpt-4o-mini".to_owned()), "{asked}");
    }
    assert_eq!(world.pick("openai/gpt-4o"), Ok("openai/gpt-4o".to_owned()), "a full name is no alias");
    let lost = World::of_org(document(&[("lost", "nowhere")], None, &[]));
    assert!(matches!(lost.pick("lost"), Err(Refusal::UnknownModel { .. })));
}

#[test]
fn the_narrowest_alias_counts_and_its_target_is_looked_up_outwards_only() {
    let org = document(&[("fast", "base"), ("base", "gpt-org")], None, &[]);
    let key = document(&[("base", "gpt-key"), ("own", "fast")], None, &[]);
    let world = World::new("PRO-PLUS", [Some(org), None, Some(key)], |_| {});
    assert_eq!(world.pick("base"), Ok("openai/gpt-key".to_owned()));
    assert_eq!(
        world.pick("fast"),
        Ok("openai/gpt-org".to_owned()),
        "a key does not change its organisation's alias"
    );
    assert_eq!(world.pick("own"), Ok("openai/gpt-org".to_owned()));
}

#[test]
fn a_circle_over_scopes_ends() {
    let org = document(&[("a", "b")], None, &[]);
    let key = document(&[("b", "a")], None, &[]);
    let world = World::new("PRO-PLUS", [Some(org), None, Some(key)], |_| {});
    for asked in ["a", "b"] {
        assert!(matches!(world.pick(asked), Err(Refusal::UnknownModel { .. })), "{asked}");
    }
}

#[test]
fn no_alias_leads_past_a_deny() {
    let world = World::of_org(document(
        &[
            ("fast", "openai/gpt-4o"),
            ("chain", "link"),
            ("link", "fast"),
            ("loud", "openai/GPT-4O"),
            ("secret", "gpt-3"),
        ],
        None,
        &["openai/gpt-4o", "secret", "link*"],
    ));
    let own = PolicyScope::Organisation;
    for asked in ["gpt-4o", "openai/gpt-4o", "fast", "loud", "openai/GPT-4o", "openai/models/gpt-4o"] {
        assert_eq!(world.denied(asked), (own, by("openai/gpt-4o")), "{asked}");
    }
    assert_eq!(world.denied("secret"), (own, by("secret")), "the alias itself is denied, its model is not");
    assert_eq!(world.pick("gpt-3"), Ok("openai/gpt-3".to_owned()));
    assert_eq!(world.denied("chain"), (own, by("link*")), "so is one on the way");
}

#[test]
fn a_denied_name_can_lead_elsewhere_by_an_alias_only_if_the_name_itself_is_not_denied() {
    let moved = document(&[("gpt-4o", "openai/gpt-4o-mini")], None, &["openai/gpt-4o"]);
    assert_eq!(World::of_org(moved).pick("gpt-4o"), Ok("openai/gpt-4o-mini".to_owned()));
    let named = document(&[("gpt-4o", "openai/gpt-4o-mini")], None, &["gpt-4o"]);
    assert_eq!(World::of_org(named).denied("gpt-4o"), (PolicyScope::Organisation, by("gpt-4o")));
}

#[test]
fn every_scope_can_only_take_away() {
    let rules = |allow: Option<&[&str]>, deny: &[&str]| Some(document(&[], allow, deny));
    let world = World::new(
        "PRO-PLUS",
        [
            rules(Some(&["openai/*", "claude-3"]), &[]),
            rules(None, &["gpt-4*"]),
            rules(Some(&["*"]), &["gpt-3"]),
        ],
        |_| {},
    );
    let (own, key) = (PolicyScope::Organisation, PolicyScope::Key(world.key.id));
    let workspace = PolicyScope::Workspace(world.key.workspace.unwrap());
    assert_eq!(world.pick("gpt-5"), Ok("openai/gpt-5".to_owned()));
    assert_eq!(world.pick("claude-3"), Ok("anthropic/claude-3".to_owned()));
    assert_eq!(world.denied("gpt-3"), (key, by("gpt-3")));
    assert_eq!(world.denied("gpt-4o"), (workspace, by("gpt-4*")));
    assert_eq!(world.denied("claude-4"), (own, DenyingRule::Allow));
    assert_eq!(world.denied("mine/gpt-5"), (own, DenyingRule::Allow));
}

#[test]
fn a_workspace_s_policy_holds_for_its_own_keys_only() {
    let policies = [None, Some(document(&[], None, &["*"])), None];
    assert!(World::new("PRO-PLUS", policies.clone(), |_| {}).pick("gpt-4").is_err());
    for elsewhere in [None, Some(WorkspaceId::new())] {
        let world = World::new("PRO-PLUS", policies.clone(), |key| key.workspace = elsewhere);
        assert_eq!(world.pick("gpt-4"), Ok("openai/gpt-4".to_owned()));
    }
}

#[test]
fn an_alias_gets_no_key_past_its_own_list() {
    let policy = || [Some(document(&[("fast", "anthropic/claude-3")], None, &[])), None, None];
    let world =
        World::new("PRO-PLUS", policy(), |key| key.models = vec!["openai/*".to_owned(), "fast".to_owned()]);
    assert!(matches!(world.pick("fast"), Err(Refusal::ModelNotAllowed(_))));
    let test = World::new("PRO-PLUS", policy(), |key| key.mode = KeyMode::Test);
    assert!(matches!(test.pick("fast"), Err(Refusal::ModelNotAllowed(_))));
}

#[test]
fn in_a_tier_without_policies_rules_hold_and_aliases_are_refused() {
    let policy = document(&[("gpt-4o", "openai/gpt-4o-mini"), ("fast", "openai/gpt-4o")], None, &["gpt-3*"]);
    for tier in ["FREE", "PRO"] {
        let world = World::new(tier, [Some(policy.clone()), None, None], |_| {});
        assert_eq!(world.denied("gpt-3.5"), (PolicyScope::Organisation, by("gpt-3*")), "{tier}");
        for asked in ["gpt-4o", "fast"] {
            match world.pick(asked) {
                Err(Refusal::Tier(refusal)) => {
                    assert_eq!(refusal.limit, "byok_policies");
                    assert_eq!(refusal.lifted_by.unwrap().as_str(), "PRO-PLUS");
                }
                other => panic!("{asked} fell through: {other:?}"),
            }
        }
        assert_eq!(world.pick("openai/gpt-4o"), Ok("openai/gpt-4o".to_owned()));
    }
}

#[test]
fn a_policy_that_is_not_understood_denies_everything() {
    let world = World::of_org(document(&[("fast", "gpt-4")], None, &[]));
    world.change(|facts| facts.policies[0].policy = None);
    for asked in ["gpt-4", "openai/gpt-4"] {
        assert_eq!(world.denied(asked), (PolicyScope::Organisation, DenyingRule::Unreadable));
    }
    assert_eq!(Policy::stored(r#"{"deny":["a"],"fallbacks":{}}"#), None, "a later version's field");
    assert!(Policy::stored(r#"{"deny":["a"]}"#).is_some());
}

#[test]
fn a_bad_policy_is_refused_with_its_field() {
    let long = "x".repeat(201);
    let many: Vec<String> = (0..=MOST_RULES).map(|n| format!("m{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let names: Vec<String> = (0..MOST_RULES).map(|n| format!("{n:0>98}")).collect();
    let target = "t".repeat(200);
    let wide = names.iter().map(|name| (name.as_str(), target.as_str())).collect::<Vec<_>>();
    let chain: Vec<String> = (0..=LONGEST_CHAIN + 1).map(|n| format!("s{n}")).collect();
    let links = |count| chain.windows(2).take(count).map(|w| (&*w[0], &*w[1])).collect::<Vec<_>>();
    assert!(Policy::check(document(&links(LONGEST_CHAIN), None, &[])).is_ok());
    for (bad, field) in [
        (document(&[("a", "a")], None, &[]), "aliases"),
        (document(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "openai/x")], None, &[]), "aliases"),
        (document(&links(LONGEST_CHAIN + 1), None, &[]), "aliases"),
        (document(&[("a", "b"), ("a", "c")], None, &[]), "aliases"),
        (document(&[("openai/gpt-4", "b")], None, &[]), "aliases"),
        (document(&[("", "b")], None, &[]), "aliases"),
        (document(&[("a b", "b")], None, &[]), "aliases"),
        (document(&[("a\r\nx: y", "b")], None, &[]), "aliases"),
        (document(&[("a", "")], None, &[]), "aliases"),
        (document(&[("a", "openai/*")], None, &[]), "aliases"),
        (document(&[("a", "b\nc")], None, &[]), "aliases"),
        (document(&[("a", &long)], None, &[]), "aliases"),
        (document(&[], Some(&[]), &[]), "allow"),
        (document(&[], Some(&["*/x"]), &[]), "allow"),
        (document(&[], Some(&many), &[]), "allow"),
        (document(&[], None, &many), "deny"),
        (document(&[], None, &["gpt 4"]), "deny"),
        (document(&wide, Some(&[&*target; 20]), &[]), "document"),
    ] {
        let refused = Policy::check(bad.clone()).expect_err(&format!("{bad:?}"));
        assert_eq!(refused.field, field, "{bad:?}");
        assert!(!refused.message.contains('\n'));
    }
}

#[test]
fn an_unknown_or_doubled_field_is_no_document() {
    for bad in [
        r#"{"fallbacks":{}}"#,
        r#"{"deny":[],"deny":[]}"#,
        r#"{"aliases":[]}"#,
        r#"{"aliases":{"a":1}}"#,
        r#"{"deny":"gpt"}"#,
    ] {
        assert!(serde_json::from_str::<PolicyDocument>(bad).is_err(), "{bad}");
    }
    let doubled: PolicyDocument = serde_json::from_str(r#"{"aliases":{"a":"x","a":"y"}}"#).unwrap();
    assert_eq!(Policy::check(doubled).unwrap_err().field, "aliases");
}

#[test]
fn an_explanation_names_each_step_and_what_decided() {
    let org = document(&[("fast", "openai/gpt-4o")], Some(&["openai/*"]), &["gpt-3*"]);
    let world = World::new("PRO-PLUS", [Some(org), None, None], |_| {});
    let checks = |explained: &Explained| explained.steps.iter().map(|step| step.check).collect::<Vec<_>>();
    let good = world.explain("fast", Operation::Chat);
    let goal = good.outcome.as_ref().unwrap().first().unwrap();
    assert_eq!((goal.provider.as_str(), goal.model.as_str()), ("openai", "gpt-4o"));
    assert!(goal.provider_key.is_some());
    use Check::{
        Alias, Allow, Deny, KeyModels, KeyScope, Model, Provider, ProviderKey, TierOperation, TierProvider,
    };
    assert_eq!(
        checks(&good),
        [KeyScope, TierOperation, Alias, Model, KeyModels, Allow, TierProvider, Provider, ProviderKey]
    );
    assert!(good.steps.iter().all(|step| step.is_passed));
    let bad = world.explain("gpt-3.5", Operation::Chat);
    let last = bad.steps.last().unwrap();
    assert_eq!((last.check, last.rule.as_str(), last.is_passed), (Deny, "gpt-3*", false));
    assert_eq!(last.scope, Some(PolicyScope::Organisation));
    let world = World::new("PRO-PLUS", [None, None, None], |key| key.scopes = vec![Scope::OrgRead]);
    assert_eq!(checks(&world.explain("gpt-4", Operation::Chat)), [KeyScope]);
    let free = World::new("FREE", [None, None, None], |_| {});
    assert_eq!(checks(&free.explain("gpt-4", Operation::Speech)), [KeyScope, TierOperation]);
    assert_eq!(checks(&free.explain("claude-3", Operation::Chat)).last(), Some(&TierProvider));
    let plus = World::new("PRO-PLUS", [None, None, None], |_| {});
    assert_eq!(checks(&plus.explain("claude-3", Operation::Chat)).last(), Some(&ProviderKey));
    assert!(matches!(plus.explain("claude-3", Operation::Chat).outcome, Err(Refusal::NoProviderKey(_))));
}

fn model() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("gpt-4"),
        Just("gpt-4o"),
        Just("GPT-4"),
        Just("claude-3"),
        Just("x/gpt-4"),
        Just("b")
    ];
    let provider = prop_oneof![Just(""), Just("openai/"), Just("anthropic/"), Just("mine/"), Just("nobody/")];
    (provider, name).prop_map(|(provider, name)| format!("{provider}{name}"))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("c"), Just("gpt-4"), Just("claude-3")].prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    (model(), any::<bool>())
        .prop_map(|(model, star)| if star { format!("{}*", &model[..model.len() - 1]) } else { model })
}

fn any_document() -> impl Strategy<Value = Option<PolicyDocument>> {
    let aliases = btree_map(name(), prop_oneof![name(), model()], 0..5);
    let document = (aliases, proptest::option::of(vec(pattern(), 1..4)), vec(pattern(), 0..3));
    let document = document.prop_map(|(aliases, allow, deny)| {
        let written = PolicyDocument {
            aliases: Aliases(aliases.into_iter().collect()),
            allow,
            deny,
            ..PolicyDocument::default()
        };
        Policy::check(written.clone()).ok().map(|_| written)
    });
    prop_oneof![1 => Just(None), 4 => document]
}

/// What a deny means, said once more and otherwise.
fn is_denied(pattern: &str, provider: &str, model: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let (of, wanted) = pattern.split_once('/').map_or((None, &*pattern), |(of, wanted)| (Some(of), wanted));
    let model = model.to_ascii_lowercase();
    let is_like = |name: &str| match wanted.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == wanted,
    };
    of.is_none_or(|of| of == provider) && (is_like(&model) || is_like(model.rsplit('/').next().unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn deny_always_wins_and_allow_always_holds(
        org in any_document(), workspace in any_document(), key in any_document(),
        asked in prop_oneof![name(), model()],
    ) {
        let three = [org, workspace, key];
        let world = World::new("PRO-PLUS", three.clone(), |_| {});
        if let Ok(picked) = world.pick(&asked) {
            let (provider, model) = picked.split_once('/').unwrap();
            for document in three.iter().flatten() {
                for deny in &document.deny {
                    prop_assert!(!is_denied(deny, provider, model), "{asked} came to {picked} past {deny}");
                    let is_name = !asked.contains('/') && !deny.contains('/');
                    prop_assert!(!(is_name && is_denied(deny, "", &asked)), "{asked} was denied by name");
                }
                if let Some(allow) = &document.allow {
                    let exact = |text: &&String| {
                        let whole = if text.contains('/') { picked.as_str() } else { model };
                        text.strip_suffix('*').map_or(whole == text.as_str(), |begin| whole.starts_with(begin))
                    };
                    prop_assert!(allow.iter().any(|text| exact(&text)), "{picked} is in no allow of {allow:?}");
                }
            }
        }
    }

    #[test]
    fn a_policy_only_takes_away_or_renames(org in any_document(), key in any_document(), asked in model()) {
        prop_assume!(asked.contains('/'));
        let without = World::new("PRO-PLUS", [None, None, None], |_| {}).pick(&asked);
        let with = World::new("PRO-PLUS", [org, None, key], |_| {}).pick(&asked);
        if with.is_ok() {
            prop_assert_eq!(with, without);
        }
    }

    #[test]
    fn an_explanation_agrees_with_what_happens(
        org in any_document(), key in any_document(), asked in prop_oneof![name(), model()],
    ) {
        let world = World::new("PRO-PLUS", [org, None, key], |_| {});
        let explained = world.explain(&asked, Operation::Chat);
        let refused: Vec<_> = explained.steps.iter().filter(|step| !step.is_passed).collect();
        match (world.pick(&asked), &explained.outcome) {
            (Ok(picked), Ok(goals)) => {
                let goals: Vec<_> =
                    goals.iter().map(|goal| format!("{}/{}", goal.provider, goal.model)).collect();
                prop_assert_eq!(vec![picked], goals);
                prop_assert!(refused.is_empty());
            }
            (Ok(_), Err(later)) => {
                let is_later = matches!(
                    later,
                    Refusal::NoProviderKey(_) | Refusal::Tier(_) | Refusal::OperationUnsupported(_)
                );
                prop_assert!(is_later, "{later}");
            }
            (Err(refusal), Err(told)) => prop_assert_eq!(&refusal, told),
            (Err(refusal), Ok(goal)) => prop_assert!(false, "{refusal} was explained as {goal:?}"),
        }
        if explained.outcome.is_err() {
            prop_assert_eq!(refused.len(), 1);
            prop_assert!(explained.steps.last().is_some_and(|step| !step.is_passed));
        }
    }

    #[test]
    fn a_document_is_the_same_when_it_was_written_and_read(document in any_document()) {
        if let Some(document) = document {
            let text = serde_json::to_string(&document).unwrap();
            let stored = Policy::stored(&text).unwrap();
            prop_assert_eq!(stored.document(), &document);
        }
    }
}
