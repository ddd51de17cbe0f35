//! The tier matrix is law: every cell of it is written down here a second time.

use topdog_domain::Refusal;
use topdog_domain::entitlement::{Feature, Resource};
use topdog_domain::labels::Plan;
use topdog_domain::provider::{Family, Operation, ProviderName};
use topdog_domain::tier::{Limit, ProviderSet, Tier, TierCatalogue, TierName};

const TIERS: [&str; 9] = [
    "FREE",
    "PRO",
    "PRO-PLUS",
    "TEAMS-SMALL",
    "TEAMS-MEDIUM",
    "TEAMS-LARGE",
    "ENTERPRISE-STANDARD",
    "ENTERPRISE-PREMIUM",
    "ENTERPRISE-ULTIMATE",
];
const UNLIMITED: i64 = -1;
const GB: i64 = 1_000_000_000;
const TB: i64 = 1000 * GB;

const NUMBERS: [(Resource, [i64; 9]); 9] = [
    (
        Resource::ApiCallsPerDay,
        [20, 10_000, 50_000, 100_000, 500_000, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED],
    ),
    (
        Resource::LlmRequestsPerDay,
        [2, 1_000, 5_000, 10_000, 50_000, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED],
    ),
    (Resource::StorageBytes, [GB / 2, 100 * GB, 250 * GB, TB, TB, TB, 10 * TB, 25 * TB, 100 * TB]),
    (Resource::ConcurrentJobs, [1, 5, 8, 10, 20, 40, 50, 100, 200]),
    (Resource::ApiKeys, [1, 5, 10, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED]),
    (Resource::DebugLogRetentionDays, [7, 30, 60, 90, 90, 90, UNLIMITED, UNLIMITED, UNLIMITED]),
    (
        Resource::CustomIntegrations,
        [0, 1, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED],
    ),
    (Resource::TeamMembers, [1, 1, 1, 5, 30, 100, UNLIMITED, UNLIMITED, UNLIMITED]),
    (Resource::KeyManagementCallsPerMinute, [5, 30, 60, 120, 120, 120, 600, 600, 600]),
];

/// Which tiers have it, as the index of the lowest.
const FROM: [(Feature, usize); 17] = [
    (Feature::CodeExecution, 1),
    (Feature::Webhooks, 1),
    (Feature::VersionControl, 1),
    // An add-on that the operator switches on for ENTERPRISE tiers; off by default.
    (Feature::PlatformManagedKeys, 9),
    (Feature::Byok, 0),
    (Feature::ByokPolicies, 2),
    (Feature::ByokTeamKeys, 3),
    (Feature::RoleBasedAccess, 3),
    (Feature::SharedWorkspaces, 3),
    (Feature::AuditLogs, 3),
    (Feature::ResourceQuotas, 3),
    (Feature::HipaaMode, 6),
    (Feature::Soc2Evidence, 6),
    (Feature::SingleSignOn, 7),
    (Feature::DataResidency, 8),
    (Feature::OnPremise, 8),
    (Feature::AccountManager, 7),
];

fn catalogue() -> TierCatalogue {
    TierCatalogue::new(Tier::standard_catalogue())
}

fn tier(name: &str) -> Tier {
    Tier::standard_catalogue().into_iter().find(|t| t.name.as_str() == name).unwrap()
}

#[test]
fn the_catalogue_holds_these_tiers_in_this_order() {
    let names: Vec<_> = catalogue().iter().map(|t| t.name.to_string()).collect();
    assert_eq!(names, TIERS);
    assert!(catalogue().iter().all(|t| t.check().is_ok()));
}

#[test]
fn every_number_of_the_matrix() {
    for (resource, row) in NUMBERS {
        for (name, want) in TIERS.iter().zip(row) {
            assert_eq!(tier(name).limit(resource).to_column(), want, "{} of {name}", resource.name());
        }
    }
}

#[test]
fn every_yes_and_no_of_the_matrix() {
    for (feature, from) in FROM {
        for (place, name) in TIERS.iter().enumerate() {
            assert_eq!(tier(name).has(feature), place >= from, "{} of {name}", feature.name());
        }
    }
}

#[test]
fn support_of_the_matrix() {
    let rows = [
        ("community", 72),
        ("email", 24),
        ("email", 12),
        ("phone and email", 24),
        ("phone and email", 12),
        ("phone and email", 4),
        ("24/7 phone", 1),
        ("24/7 phone", 1),
        ("24/7 phone", 1),
    ];
    for (name, (channel, hours)) in TIERS.iter().zip(rows) {
        assert_eq!(
            (tier(name).support_channel.as_str(), tier(name).first_response_hours),
            (channel, hours),
            "{name}"
        );
    }
}

#[test]
fn providers_of_the_matrix() {
    let columns = ["openai", "openai,anthropic", "openai,anthropic,cohere"];
    for (name, column) in TIERS.iter().zip(columns) {
        assert_eq!(tier(name).byok_supported_providers.to_string(), column);
    }
    for name in &TIERS[3..6] {
        let column = tier(name).byok_supported_providers.to_string();
        assert!(column.starts_with("openai,anthropic,cohere,custom,"), "{column}");
        assert!(tier(name).may_use_provider("bedrock", false) && tier(name).may_use_provider("mine", true));
        assert!(!tier(name).may_use_provider("unheard-of", false));
    }
    for name in &TIERS[6..] {
        assert_eq!(tier(name).byok_supported_providers, ProviderSet::All);
    }
    assert!(!tier("PRO-PLUS").may_use_provider("mine", true), "custom endpoints begin with TEAMS");
    assert!(!tier("PRO").may_use_provider("cohere", false));
    assert!(!tier("FREE").may_use_provider("custom", false), "the word custom names no provider");
}

#[test]
fn plans_follow_the_family() {
    for (place, name) in TIERS.iter().enumerate() {
        let want = match place {
            0 => Plan::Starter,
            1..=5 => Plan::Pro,
            _ => Plan::Enterprise,
        };
        assert_eq!(tier(name).plan(), want, "{name}");
    }
}

#[test]
fn free_has_basic_openai_only() {
    let basic = [Operation::Chat, Operation::Completions, Operation::Responses, Operation::Embeddings];
    for operation in Operation::ALL {
        assert_eq!(tier("FREE").may_perform(operation), basic.contains(&operation), "{}", operation.name());
        assert!(tier("PRO").may_perform(operation));
    }
}

#[test]
fn an_operation_is_of_the_family_whose_path_it_has() {
    for operation in Operation::ALL {
        let path = format!("/{}/{}", operation.version(), operation.path());
        let family = match () {
            () if path.starts_with("/v1/messages") => Family::Anthropic,
            () if path.starts_with("/v2/") => Family::Cohere,
            () if path.starts_with("/v1beta/") => Family::Gemini,
            () => Family::OpenAi,
        };
        assert_eq!(operation.family(), family, "{}", operation.name());
        let found = operation.has_path().then_some(operation);
        assert_eq!(Operation::from_path(&path), found, "a path without a model is none of Gemini's");
        let elsewhere = if family == Family::Cohere { "v1" } else { "v2" };
        for other in
            [path.replacen(operation.version(), elsewhere, 1), format!("/{path}"), format!("{path}/")]
        {
            assert_eq!(Operation::from_path(&other), None, "{other}");
        }
        let written = serde_json::to_value(operation).unwrap();
        assert_eq!(written, operation.name(), "records and metrics call it the same");
    }
    for family in Family::ALL {
        assert_eq!(Family::from_name(family.name()), Some(family));
        assert_eq!(serde_json::to_value(family).unwrap(), family.name());
    }
    assert_eq!(Family::from_name("OpenAI"), None);
}

#[test]
fn a_refusal_names_the_lowest_tier_that_lifts_it() {
    let tiers = catalogue();
    let lifted = |refused: Result<(), Refusal>| match refused {
        Err(Refusal::Tier(t)) => t.lifted_by.map(|n| n.to_string()),
        other => panic!("a tier refusal was expected, not {other:?}"),
    };
    let pro = tier("PRO");
    assert_eq!(lifted(tiers.require(&pro, Feature::AuditLogs)).as_deref(), Some("TEAMS-SMALL"));
    assert_eq!(lifted(tiers.require(&pro, Feature::DataResidency)).as_deref(), Some("ENTERPRISE-ULTIMATE"));
    let cohere = ProviderName::parse("cohere").unwrap();
    assert_eq!(lifted(tiers.require_provider(&pro, &cohere, false)).as_deref(), Some("PRO-PLUS"));
    let mine = ProviderName::parse("mine").unwrap();
    assert_eq!(lifted(tiers.require_provider(&pro, &mine, true)).as_deref(), Some("TEAMS-SMALL"));
    assert_eq!(lifted(tiers.require_operation(&tier("FREE"), Operation::Speech)).as_deref(), Some("PRO"));
    assert_eq!(lifted(tiers.require_room(&pro, Resource::ApiKeys, 5)).as_deref(), Some("PRO-PLUS"));
    assert_eq!(lifted(tiers.require_room(&pro, Resource::ApiKeys, 10)).as_deref(), Some("TEAMS-SMALL"));
    assert!(tiers.require_room(&pro, Resource::ApiKeys, 4).is_ok());
    assert!(tiers.require_room(&tier("TEAMS-SMALL"), Resource::ApiKeys, u64::MAX).is_ok());
}

#[test]
fn the_catalogue_is_data_within_its_rules() {
    let mut own = tier("PRO");
    own.name = TierName::parse("PRO-STUDENT").unwrap();
    own.rank = 15;
    own.audit_logs_enabled = true;
    let tiers = TierCatalogue::new(Tier::standard_catalogue().into_iter().chain([own.clone()]));
    let refused = tiers.require(&tier("FREE"), Feature::AuditLogs);
    assert!(matches!(refused, Err(Refusal::Tier(t)) if t.lifted_by.as_ref() == Some(&own.name)));

    own.platform_managed_llm_enabled = true;
    assert!(own.check().is_err(), "platform-managed keys are for ENTERPRISE only");
    let mut enterprise = tier("ENTERPRISE-STANDARD");
    enterprise.platform_managed_llm_enabled = true;
    assert!(enterprise.check().is_ok());
    enterprise.byok_llm_enabled = false;
    assert!(enterprise.check().is_err(), "BYOK is on every tier");
}

#[test]
fn a_limit_is_a_number_or_a_word_and_minus_one_only_in_its_column() {
    assert_eq!(Limit::from_column(-1), Limit::Unlimited);
    assert_eq!(Limit::from_column(7), Limit::Of(7));
    assert_eq!(serde_json::to_string(&[Limit::Of(3), Limit::Unlimited]).unwrap(), r#"[3,"unlimited"]"#);
    assert!(serde_json::from_str::<Limit>("-1").is_err());
    assert_eq!(serde_json::from_str::<Limit>("\"unlimited\"").unwrap(), Limit::Unlimited);
}
