use super::difference::Difference;
use super::entry::{Entry, FieldChange, Kind, Material, Step, Verdict};
use super::file::{KeyPlace, OrgFile};
use super::plan::{SecretFileState, plan};
use super::present::Present;
use std::path::Path;
use topdog_domain::api_key::{KeyMode, Scope};
use topdog_domain::labels::DataSegment;
use topdog_domain::policy::PolicyScope;
use topdog_domain::provider::{ProviderApi, ProviderName};
use topdog_domain::tier::{Limit, TierName};
use topdog_domain::{ApiKeyId, EndpointId, OrgId, ProviderKeyId, Timestamp, WorkspaceId};
use topdog_platform::api::{
    ApiKey, ChangeOrganisation, Endpoint, Organisation, Policy, ProviderKey, ProviderKeySource, UtcTime,
    Workspace,
};

const FILE: &str = r#"
[[organisation]]
name = "acme"
tier = "TEAMS-SMALL"
data_segment = "medical"
[[organisation.endpoint]]
name = "vllm"
base_url = "https://llm.example.com/v1"
models = ["llama", "qwen"]
[[organisation.provider_key]]
provider = "openai"
from = "env:OPENAI_API_KEY"
[[organisation.provider_key]]
provider = "vllm"
from = "file:vllm.key"
seal = true
[[organisation.api_key]]
name = "ci"
scopes = ["llm", "usage:read"]
ip_allow = ["10.0.0.1"]
workspace = "default"
expires_at = 2027-01-01T00:00:00Z
secret_file = "ci.key"
"#;

const AT: UtcTime = UtcTime(Timestamp::from_micros(0));

/// All that [`FILE`] wants, as a server tells it.
fn as_wanted() -> Present {
    let workspace = WorkspaceId::new();
    let provider_key = |provider: &str, origin: &str, reference: Option<&str>| ProviderKey {
        id: ProviderKeyId::new(),
        provider: ProviderName::parse(provider).expect("a name"),
        name: "default".into(),
        origin: origin.into(),
        source: reference.map_or(ProviderKeySource::Sealed, |_| ProviderKeySource::Reference),
        reference: reference.map(Into::into),
        version: 1,
        created_at: AT,
        rotated_at: AT,
        warning: None,
    };
    Present {
        organisation: Organisation {
            id: OrgId::new(),
            name: "acme".into(),
            tier: TierName::parse("TEAMS-SMALL").expect("a name"),
            data_segment: Some(DataSegment::Medical),
            created_at: AT,
        },
        workspaces: vec![Workspace {
            id: workspace,
            name: "default".into(),
            data_segment: None,
            created_at: AT,
        }],
        endpoints: vec![Endpoint {
            id: EndpointId::new(),
            name: ProviderName::parse("vllm").expect("a name"),
            base_url: "https://llm.example.com/v1".into(),
            dialect: ProviderApi::OpenAi,
            api_version: None,
            region: None,
            models: vec!["qwen".into(), "llama".into()],
            is_keyless: false,
            created_at: AT,
            warning: None,
        }],
        provider_keys: vec![
            provider_key("openai", "https://api.openai.com", Some("env:OPENAI_API_KEY")),
            provider_key("vllm", "https://llm.example.com", None),
        ],
        api_keys: vec![ApiKey {
            id: ApiKeyId::new(),
            name: "ci".into(),
            mode: KeyMode::Live,
            scopes: vec![Scope::UsageRead, Scope::Llm],
            models: vec![],
            ip_allow: vec!["10.0.0.1/32".into()],
            workspace: Some(workspace),
            llm_requests_per_day: Limit::Unlimited,
            expires_at: Some(UtcTime(Timestamp::parse("2027-01-01T00:00:00Z").expect("an instant"))),
            created_at: AT,
            revoked_at: None,
            over_limit: false,
            secrets: vec![],
        }],
        policies: vec![],
    }
}

fn planned(file: &str, present: Option<&Present>, state: SecretFileState, prune: bool) -> Vec<Entry> {
    let file = OrgFile::parse(file).expect("a good file");
    plan(&file.organisation[0], present, &|_: &Path| state, prune)
}

/// The plan for [`FILE`] where its secret file holds something.
fn second_run(present: &Present) -> Vec<Entry> {
    planned(FILE, Some(present), SecretFileState::Taken, false)
}

fn verdict<'a>(entries: &'a [Entry], kind: Kind, name: &str) -> &'a Verdict {
    &entries.iter().find(|e| e.kind == kind && e.name == name).expect("an entry").verdict
}

fn change(field: &'static str, from: &str, to: &str) -> FieldChange {
    FieldChange { field: field.into(), from: from.into(), to: to.into() }
}

#[test]
fn on_an_empty_machine_everything_is_made_in_an_order_that_works() {
    let entries = planned(FILE, None, SecretFileState::Free, false);
    let kinds: Vec<Kind> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(
        kinds,
        [Kind::Organisation, Kind::Endpoint, Kind::ProviderKey, Kind::ProviderKey, Kind::ApiKey]
    );
    assert!(entries.iter().all(|entry| matches!(entry.verdict, Verdict::Create(_))));
    let Verdict::Create(Step::CreateProviderKey { material, .. }) =
        verdict(&entries, Kind::ProviderKey, "openai/default")
    else {
        panic!("not made")
    };
    assert_eq!(*material, Material::Reference("env:OPENAI_API_KEY".into()));
    let Verdict::Create(Step::CreateProviderKey { material, .. }) =
        verdict(&entries, Kind::ProviderKey, "vllm/default")
    else {
        panic!("not made")
    };
    assert_eq!(*material, Material::Sealed(KeyPlace::File("vllm.key".into())));
}

#[test]
fn the_second_run_has_nothing_to_change() {
    let entries = second_run(&as_wanted());
    assert!(entries.iter().all(|entry| matches!(entry.verdict, Verdict::Keep(_))), "{entries:?}");
    let text = Difference::of(&entries).to_string();
    assert!(text.ends_with("nothing to change\n"), "{text}");
}

#[test]
fn an_organisation_is_changed_only_where_it_differs() {
    let mut present = as_wanted();
    present.organisation.tier = TierName::parse("PRO").expect("a name");
    let entries = second_run(&present);
    let expected = ChangeOrganisation {
        tier: Some(TierName::parse("TEAMS-SMALL").expect("a name")),
        data_segment: None,
    };
    assert_eq!(
        *verdict(&entries, Kind::Organisation, "acme"),
        Verdict::Change(vec![change("tier", "PRO", "TEAMS-SMALL")], Step::ChangeOrganisation(expected))
    );
}

#[test]
fn a_segment_that_the_file_does_not_mention_stays_and_none_takes_it_away() {
    let silent = "[[organisation]]\nname = \"acme\"\ntier = \"TEAMS-SMALL\"\n";
    let entries = planned(silent, Some(&as_wanted()), SecretFileState::Free, false);
    assert_eq!(*verdict(&entries, Kind::Organisation, "acme"), Verdict::Keep(None));

    let none = format!("{silent}data_segment = \"none\"\n");
    let entries = planned(&none, Some(&as_wanted()), SecretFileState::Free, false);
    let step = Step::ChangeOrganisation(ChangeOrganisation { tier: None, data_segment: Some(None) });
    assert_eq!(
        *verdict(&entries, Kind::Organisation, "acme"),
        Verdict::Change(vec![change("data_segment", "medical", "none")], step)
    );
}

#[test]
fn a_key_is_given_anew_where_its_endpoint_moves_to_another_origin() {
    let moved = FILE.replace("llm.example.com", "new.example.com");
    let entries = planned(&moved, Some(&as_wanted()), SecretFileState::Taken, false);
    let Verdict::Change(differences, Step::ReplaceEndpoint(..)) = verdict(&entries, Kind::Endpoint, "vllm")
    else {
        panic!("not replaced")
    };
    assert_eq!(
        *differences,
        [change("base_url", "https://llm.example.com/v1", "https://new.example.com/v1")]
    );
    let Verdict::Change(differences, Step::RotateProviderKey(_, Material::Sealed(_))) =
        verdict(&entries, Kind::ProviderKey, "vllm/default")
    else {
        panic!("not given anew")
    };
    assert_eq!(*differences, [change("origin", "https://llm.example.com", "https://new.example.com")]);
}

#[test]
fn a_key_that_is_kept_in_another_way_is_given_anew() {
    let mut present = as_wanted();
    present.provider_keys[0].reference = Some("env:OLD".into());
    present.provider_keys[1].source = ProviderKeySource::Reference;
    present.provider_keys[1].reference = Some("env:VLLM".into());
    let entries = second_run(&present);
    let differences = |name| match verdict(&entries, Kind::ProviderKey, name) {
        Verdict::Change(differences, Step::RotateProviderKey(..)) => differences.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(differences("openai/default"), [change("from", "env:OLD", "env:OPENAI_API_KEY")]);
    assert_eq!(differences("vllm/default"), [change("from", "env:VLLM", "sealed")]);
}

#[test]
fn what_the_file_does_not_name_stays_unless_it_is_pruned() {
    let bare = "[[organisation]]\nname = \"acme\"\ntier = \"TEAMS-SMALL\"\n";
    let kept = planned(bare, Some(&as_wanted()), SecretFileState::Free, false);
    assert_eq!(kept.iter().filter(|e| e.verdict == Verdict::Unlisted).count(), 4);
    let text = Difference::of(&kept).to_string();
    assert!(text.contains("? acme: api_key ci: not in the file, stays; --prune removes it"), "{text}");
    assert!(text.ends_with("nothing to change\n"), "{text}");

    let pruned = planned(bare, Some(&as_wanted()), SecretFileState::Free, true);
    let steps: Vec<&Verdict> = pruned.iter().map(|e| &e.verdict).skip(1).collect();
    assert!(matches!(
        steps[..],
        [
            Verdict::Prune(Step::RevokeApiKey(_)),
            Verdict::Prune(Step::DeleteProviderKey(_)),
            Verdict::Prune(Step::DeleteProviderKey(_)),
            Verdict::Prune(Step::DeleteEndpoint(_)),
        ]
    ));
}

#[test]
fn what_goes_makes_room_for_what_comes() {
    let renamed = FILE.replace("name = \"ci\"", "name = \"ci-2\"");
    let entries = planned(&renamed, Some(&as_wanted()), SecretFileState::Free, true);
    let at = |wanted: fn(&Verdict) -> bool| entries.iter().position(|e| wanted(&e.verdict));
    let revoked = at(|v| matches!(v, Verdict::Prune(Step::RevokeApiKey(_))));
    let made = at(|v| matches!(v, Verdict::Create(Step::CreateApiKey(_))));
    assert!(revoked.is_some() && revoked < made);
}

#[test]
fn an_api_key_that_differs_stands_in_the_way() {
    let wider = FILE.replace(r#""usage:read"]"#, r#""org:read"]"#);
    let entries = planned(&wider, Some(&as_wanted()), SecretFileState::Taken, false);
    let Verdict::Blocked(why) = verdict(&entries, Kind::ApiKey, "ci") else { panic!("not blocked") };
    assert!(why.starts_with("scopes llm,usage:read -> llm,org:read;"), "{why}");
    assert!(Difference::of(&entries).is_blocked());
}

#[test]
fn secret_files_are_never_overwritten_and_their_loss_is_told() {
    let entries = planned(FILE, None, SecretFileState::Taken, false);
    assert!(matches!(verdict(&entries, Kind::ApiKey, "ci"), Verdict::Blocked(_)));

    let entries = planned(FILE, Some(&as_wanted()), SecretFileState::Free, false);
    let Verdict::Keep(Some(remark)) = verdict(&entries, Kind::ApiKey, "ci") else { panic!("not kept") };
    assert!(remark.contains("missing") && remark.contains("rotate"), "{remark}");
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_nearest_one() {
    for (bad, expected) in [
        ("[[organisations]]\nname = \"a\"", "1: unknown field `organisations`"),
        ("[[organisation]]\nname = \"a\"\ntier = \"PRO\"\ntire = \"x\"", "did you mean `tier`?"),
        (
            "[[organisation]]\nname = \"a\"\ntier = \"PRO\"\n[[organisation.api_key]]\nname = \"k\"\nscope = [\"llm\"]",
            "6: unknown field `scope`",
        ),
    ] {
        let why = OrgFile::parse(bad).map(drop).expect_err(bad);
        assert!(why.contains(expected) && why.contains("did you mean"), "{why}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let org = "[[organisation]]\nname = \"a\"\ntier = \"PRO\"\n";
    for bad in [
        format!("{org}{org}"),
        format!("{org}[[organisation.api_key]]\nname = \"k\"\n[[organisation.api_key]]\nname = \"k\"\n"),
        format!("{org}[[organisation.api_key]]\nname = \" k\"\n"),
        format!("{org}[[organisation.api_key]]\nname = \"k\"\nscopes = [\"root\"]\n"),
        format!("{org}[[organisation.api_key]]\nname = \"k\"\nexpires_at = \"soon\"\n"),
        format!(
            "{org}[[organisation.provider_key]]\nprovider = \"openai\"\nfrom = \"vault:a/b#c\"\nseal = true\n"
        ),
        format!("{org}data_segment = \"secret\"\n"),
        "[[organisation]]\nname = \"a\"\ntier = \"pro\"\n".to_owned(),
        "[[organisation]]\nname = \"a\"\n".to_owned(),
    ] {
        assert!(OrgFile::parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_key_that_is_written_into_the_file_is_not_repeated() {
    let bad = "[[organisation]]\nname = \"a\"\ntier = \"PRO\"\n[[organisation.provider_key]]\nprovider = \"openai\"\n\
               from = \"sk-canary\"\n";
    let why = OrgFile::parse(bad).map(drop).expect_err("refused");
    assert!(why.starts_with("6: ") && !why.contains("canary"), "{why}");
}

#[test]
fn programs_get_every_entry() {
    let json = serde_json::to_value(Difference::of(&second_run(&as_wanted()))).expect("json");
    let entries = json.get("entries").and_then(|e| e.as_array()).expect("entries");
    assert_eq!(entries.len(), 5);
    assert_eq!(entries[0]["kind"], "organisation");
    assert_eq!(entries[0]["verdict"], "keep");
}

const POLICIES: &str = r#"
[[organisation.policy]]
deny = ["gpt-3*"]
aliases = { fast = "openai/gpt-4o-mini" }
[[organisation.policy]]
api_key = "ci"
allow = ["openai/*"]
[[organisation.policy]]
workspace = "default"
deny = ["*"]
"#;

fn stored(scope: PolicyScope, version: u32, document: &str) -> Policy {
    Policy {
        scope,
        version,
        document: Some(serde_json::from_str(document).expect("json")),
        author: "operator".into(),
        created_at: AT,
        warnings: vec![],
    }
}

/// [`as_wanted`], with the policies of [`POLICIES`].
fn with_policies() -> Present {
    let mut present = as_wanted();
    present.policies = vec![
        stored(
            PolicyScope::Organisation,
            3,
            r#"{"aliases":{"fast":"openai/gpt-4o-mini"},"allow":null,"deny":["gpt-3*"]}"#,
        ),
        stored(PolicyScope::Key(present.api_keys[0].id), 1, r#"{"allow":["openai/*"]}"#),
        stored(PolicyScope::Workspace(present.workspaces[0].id), 1, r#"{"deny":["*"]}"#),
    ];
    present
}

#[test]
fn policies_are_made_before_the_keys_that_they_hold_and_a_keys_own_behind_it() {
    let entries = planned(&[FILE, POLICIES].concat(), None, SecretFileState::Free, false);
    let at =
        |kind, name: &str| entries.iter().position(|e| e.kind == kind && e.name == name).expect("an entry");
    let key = at(Kind::ApiKey, "ci");
    assert!(at(Kind::Policy, "organisation") < key && at(Kind::Policy, "workspace default") < key);
    assert!(at(Kind::Policy, "api_key ci") > key);
    assert!(entries.iter().all(|entry| matches!(entry.verdict, Verdict::Create(_))), "{entries:?}");
}

#[test]
fn a_policy_that_says_the_same_is_kept_and_one_that_does_not_follows_the_version_that_was_seen() {
    let present = with_policies();
    let file = [FILE, POLICIES].concat();
    let entries = planned(&file, Some(&present), SecretFileState::Taken, true);
    assert!(entries.iter().all(|entry| matches!(entry.verdict, Verdict::Keep(_))), "{entries:?}");

    let entries = planned(&file.replace("gpt-3*", "gpt-4*"), Some(&present), SecretFileState::Taken, true);
    let Verdict::Change(differences, Step::PutPolicy { expected_version, .. }) =
        verdict(&entries, Kind::Policy, "organisation")
    else {
        panic!("not put")
    };
    assert_eq!(*differences, [change("deny", r#"["gpt-3*"]"#, r#"["gpt-4*"]"#)]);
    assert_eq!(*expected_version, 3);
}

#[test]
fn a_policy_that_the_file_does_not_name_stays_unless_it_is_pruned_and_never_before_its_key() {
    let bare = "[[organisation]]\nname = \"acme\"\ntier = \"TEAMS-SMALL\"\n";
    let present = with_policies();
    let kept = planned(bare, Some(&present), SecretFileState::Free, false);
    assert_eq!(*verdict(&kept, Kind::Policy, "workspace default"), Verdict::Unlisted);
    let pruned = planned(bare, Some(&present), SecretFileState::Free, true);
    let Verdict::Prune(Step::DeletePolicy { scope, expected_version }) =
        verdict(&pruned, Kind::Policy, "organisation")
    else {
        panic!("not pruned")
    };
    assert_eq!((*scope, *expected_version), (PolicyScope::Organisation, 3));
    let at = |kind| pruned.iter().position(|e| e.kind == kind).expect("an entry");
    assert!(at(Kind::ApiKey) < at(Kind::Policy));
}

#[test]
fn a_policy_for_what_is_not_there_stands_in_the_way() {
    for (field, what) in [("workspace", "workspace nowhere"), ("api_key", "api_key nowhere")] {
        let file = format!("{FILE}[[organisation.policy]]\n{field} = \"nowhere\"\ndeny = [\"*\"]\n");
        let entries = planned(&file, Some(&as_wanted()), SecretFileState::Taken, false);
        assert!(matches!(verdict(&entries, Kind::Policy, what), Verdict::Blocked(_)), "{field}");
    }
}

#[test]
fn a_bad_policy_is_refused_before_anything_is_done() {
    for bad in [
        "deny = [\"a*b\"]",
        "allow = []",
        "fallbacks_of_mine = []",
        "workspace = 3",
        "workspace = \"default\"\napi_key = \"ci\"",
        "aliases = { a = \"b\", b = \"a\" }",
        "deny = [\"x\"]\n[[organisation.policy]]\ndeny = [\"y\"]",
    ] {
        let file = format!("{FILE}[[organisation.policy]]\n{bad}\n");
        assert!(OrgFile::parse(&file).is_err(), "{bad}");
    }
}
