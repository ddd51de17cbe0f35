use super::entry::{Entry, FieldChange, Kind, Material, Step, Verdict};
use super::file::{WantedApiKey, WantedEndpoint, WantedOrg, WantedProviderKey};
use super::policy::{self, PolicyPlace};
use super::present::Present;
use crate::cli::table::{listed, or_dash};
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::Path;
use topdog_domain::api_key::KeyMode;
use topdog_domain::labels::DataSegment;
use topdog_egress::BaseUrl;
use topdog_platform::api::{
    ApiKey, ChangeOrganisation, CreateEndpoint, CreateOrganisation, Endpoint, ProviderKey, ProviderKeySource,
    ReplaceEndpoint,
};

/// What is to be done so that the organisation is as wanted, in the order of doing: what goes makes room first,
/// endpoints come before the keys for them, and policies before the API keys that they hold. Nothing is done here, and nothing but the arguments is looked at.
pub(super) fn plan(
    wanted: &WantedOrg,
    present: Option<&Present>,
    secret_file: &dyn Fn(&Path) -> SecretFileState,
    prune: bool,
) -> Vec<Entry> {
    let mut plan = Planned { organisation: &wanted.name, entries: Vec::new() };
    plan.add(Kind::Organisation, &wanted.name, organisation(wanted, present));
    if let Some(present) = present {
        plan.surplus(wanted, present, prune);
    }
    for endpoint in &wanted.endpoint {
        let there = present.and_then(|p| p.endpoints.iter().find(|there| there.name == endpoint.name));
        plan.add(Kind::Endpoint, endpoint.name.as_str(), self::endpoint(endpoint, there));
    }
    for key in &wanted.provider_key {
        let is_it = |there: &&ProviderKey| there.provider == key.provider && there.name == key.name;
        let there = present.and_then(|p| p.provider_keys.iter().find(is_it));
        plan.add(
            Kind::ProviderKey,
            &label(&key.provider, &key.name),
            provider_key(key, there, &wanted.endpoint),
        );
    }
    plan.policies(wanted, present, |place| !matches!(place, PolicyPlace::ApiKey(_)));
    for key in &wanted.api_key {
        let there = present.and_then(|p| Some((p, p.api_keys.iter().find(|there| there.name == key.name)?)));
        let file = key.secret_file.as_deref().map(secret_file);
        plan.add(Kind::ApiKey, &key.name, api_key(key, there, file));
    }
    plan.policies(wanted, present, |place| matches!(place, PolicyPlace::ApiKey(_)));
    plan.entries
}

/// What is at the place where a secret would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretFileState {
    /// Nothing, or an empty file.
    Free,
    /// Something.
    Taken,
}

impl SecretFileState {
    /// Looks.
    pub(super) fn of(file: &Path) -> Self {
        match std::fs::symlink_metadata(file) {
            Ok(found) if !found.is_file() || found.len() > 0 => Self::Taken,
            _ => Self::Free,
        }
    }
}

struct Planned<'a> {
    organisation: &'a str,
    entries: Vec<Entry>,
}

impl Planned<'_> {
    fn add(&mut self, kind: Kind, name: &str, verdict: Verdict) {
        let (organisation, name) = (self.organisation.to_owned(), name.to_owned());
        self.entries.push(Entry { organisation, kind, name, verdict });
    }

    fn policies(
        &mut self,
        wanted: &WantedOrg,
        present: Option<&Present>,
        is_now: impl Fn(&PolicyPlace) -> bool,
    ) {
        for policy in wanted.policy.iter().filter(|policy| is_now(&policy.place)) {
            self.add(Kind::Policy, &policy.place.to_string(), policy.verdict(wanted, present));
        }
    }

    fn surplus(&mut self, wanted: &WantedOrg, present: &Present, prune: bool) {
        let verdict = |step| if prune { Verdict::Prune(step) } else { Verdict::Unlisted };
        for there in &present.api_keys {
            if !wanted.api_key.iter().any(|key| key.name == there.name) {
                self.add(Kind::ApiKey, &there.name, verdict(Step::RevokeApiKey(there.id)));
            }
        }
        // Behind the keys: none is without its policy before it is revoked.
        for (name, step) in policy::surplus(wanted, present) {
            self.add(Kind::Policy, &name, verdict(step));
        }
        for there in &present.provider_keys {
            if !wanted.provider_key.iter().any(|k| k.provider == there.provider && k.name == there.name) {
                let label = label(&there.provider, &there.name);
                self.add(Kind::ProviderKey, &label, verdict(Step::DeleteProviderKey(there.id)));
            }
        }
        for there in &present.endpoints {
            if !wanted.endpoint.iter().any(|endpoint| endpoint.name == there.name) {
                let step = Step::DeleteEndpoint(there.name.clone());
                self.add(Kind::Endpoint, there.name.as_str(), verdict(step));
            }
        }
    }
}

fn organisation(wanted: &WantedOrg, present: Option<&Present>) -> Verdict {
    let Some(Present { organisation: there, .. }) = present else {
        return Verdict::Create(Step::CreateOrganisation(CreateOrganisation {
            name: wanted.name.clone(),
            tier: wanted.tier.clone(),
            owner: wanted.owner.clone(),
            data_segment: wanted.data_segment.and_then(|wish| wish.0),
        }));
    };
    let segment = |segment: Option<DataSegment>| segment.map_or("none", DataSegment::name);
    let tier = FieldChange::of("tier", &there.tier, &wanted.tier);
    let data_segment = wanted
        .data_segment
        .and_then(|wish| FieldChange::of("data_segment", segment(there.data_segment), segment(wish.0)));
    let step = Step::ChangeOrganisation(ChangeOrganisation {
        tier: tier.is_some().then(|| wanted.tier.clone()),
        data_segment: data_segment.is_some().then(|| wanted.data_segment.and_then(|wish| wish.0)),
    });
    changed([tier, data_segment], step)
}

fn endpoint(wanted: &WantedEndpoint, there: Option<&Endpoint>) -> Verdict {
    let Some(there) = there else {
        return Verdict::Create(Step::CreateEndpoint(CreateEndpoint {
            name: wanted.name.clone(),
            base_url: wanted.base_url.clone(),
            dialect: wanted.dialect,
            api_version: wanted.api_version.clone(),
            region: wanted.region.clone(),
            models: wanted.models.clone(),
            is_keyless: wanted.is_keyless,
        }));
    };
    let differences = [
        FieldChange::of("base_url", canonical_url(&there.base_url), canonical_url(&wanted.base_url)),
        FieldChange::of("dialect", there.dialect.name(), wanted.dialect.name()),
        FieldChange::of("api_version", or_none(&there.api_version), or_none(&wanted.api_version)),
        // What the host tells is there without being wanted.
        wanted.region.as_ref().and_then(|region| FieldChange::of("region", or_none(&there.region), region)),
        FieldChange::of("models", set(&there.models), set(&wanted.models)),
        FieldChange::of("is_keyless", there.is_keyless, wanted.is_keyless),
    ];
    let step = Step::ReplaceEndpoint(
        wanted.name.clone(),
        ReplaceEndpoint {
            base_url: wanted.base_url.clone(),
            dialect: wanted.dialect,
            api_version: wanted.api_version.clone(),
            region: wanted.region.clone(),
            models: wanted.models.clone(),
            is_keyless: wanted.is_keyless,
        },
    );
    changed(differences, step)
}

fn or_none(text: &Option<String>) -> &str {
    text.as_deref().filter(|text| !text.is_empty()).unwrap_or("none")
}

fn provider_key(
    wanted: &WantedProviderKey,
    there: Option<&ProviderKey>,
    endpoints: &[WantedEndpoint],
) -> Verdict {
    let material = if wanted.seal {
        Material::Sealed(wanted.from.clone())
    } else {
        Material::Reference(wanted.from.to_string())
    };
    let Some(there) = there else {
        return Verdict::Create(Step::CreateProviderKey {
            provider: wanted.provider.clone(),
            name: wanted.name.clone(),
            material,
        });
    };
    let kept = match &there.reference {
        Some(reference) => reference.as_str(),
        None => SEALED,
    };
    let wished = match &material {
        Material::Reference(reference) => reference.as_str(),
        Material::Sealed(_) => SEALED,
    };
    let differences = [FieldChange::of("from", kept, wished), stale(wanted, there, endpoints)];
    match changed(differences, Step::RotateProviderKey(there.id, material)) {
        Verdict::Keep(_) if there.source == ProviderKeySource::Sealed => Verdict::Keep(Some(
            "sealed, so its content is not compared; `topdog provider-keys rotate` replaces it".to_owned(),
        )),
        verdict => verdict,
    }
}

/// A key is bound to the origin that it was given for; where that is another now, it must be given anew.
fn stale(
    wanted: &WantedProviderKey,
    there: &ProviderKey,
    endpoints: &[WantedEndpoint],
) -> Option<FieldChange> {
    let own = endpoints.iter().find(|endpoint| endpoint.name == wanted.provider);
    match own.and_then(|endpoint| BaseUrl::parse(&endpoint.base_url).ok()) {
        Some(base) => FieldChange::of("origin", &there.origin, base.origin()),
        None => there
            .warning
            .as_ref()
            .and_then(|_| FieldChange::of("origin", &there.origin, "the provider's present one")),
    }
}

fn api_key(
    wanted: &WantedApiKey,
    there: Option<(&Present, &ApiKey)>,
    file: Option<SecretFileState>,
) -> Verdict {
    let Some((present, there)) = there else {
        return match file {
            Some(SecretFileState::Taken) => Verdict::Blocked(
                "its secret_file is there already and is not overwritten; move it away, or name another"
                    .to_owned(),
            ),
            Some(SecretFileState::Free) | None => {
                Verdict::Create(Step::CreateApiKey(Box::new(wanted.clone())))
            }
        };
    };
    let differences: Vec<String> =
        key_differences(wanted, there, present).into_iter().flatten().map(|d| d.to_string()).collect();
    if !differences.is_empty() {
        return Verdict::Blocked(format!(
            "{}; a key can't be changed: give it another name in the file, or revoke it first",
            differences.join(", ")
        ));
    }
    Verdict::Keep((file == Some(SecretFileState::Free)).then(|| {
        "its secret_file is missing, and a secret can't be shown again; `topdog api-keys rotate` makes another"
            .to_owned()
    }))
}

fn key_differences(wanted: &WantedApiKey, there: &ApiKey, present: &Present) -> [Option<FieldChange>; 7] {
    let mode = |mode: KeyMode| mode.prefix().trim_end_matches('_');
    let workspace = there.workspace.map(|id| id.to_string());
    let wished_workspace = wanted.workspace.as_ref().map(|wish| {
        let found = present.workspaces.iter().find(|w| w.name == *wish);
        found.map_or_else(|| wish.clone(), |found| found.id.to_string())
    });
    [
        FieldChange::of(
            "scopes",
            set(there.scopes.iter().map(|s| s.name())),
            set(wanted.scopes.iter().map(|s| s.name())),
        ),
        FieldChange::of("models", set(&there.models), set(&wanted.models)),
        FieldChange::of(
            "ip_allow",
            set(there.ip_allow.iter().map(|net| network(net))),
            set(wanted.ip_allow.iter().map(|net| network(net))),
        ),
        FieldChange::of("workspace", or_dash(workspace), or_dash(wished_workspace)),
        FieldChange::of("mode", mode(there.mode), mode(wanted.mode)),
        FieldChange::of("expires_at", or_dash(there.expires_at), or_dash(wanted.expires_at)),
        FieldChange::of("llm_requests_per_day", there.llm_requests_per_day, wanted.llm_requests_per_day),
    ]
}

pub(super) fn changed(differences: impl IntoIterator<Item = Option<FieldChange>>, step: Step) -> Verdict {
    let differences: Vec<FieldChange> = differences.into_iter().flatten().collect();
    if differences.is_empty() { Verdict::Keep(None) } else { Verdict::Change(differences, step) }
}

fn label(provider: impl std::fmt::Display, name: &str) -> String {
    format!("{provider}/{name}")
}

/// Lists that mean the same whatever their order.
fn set<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let mut items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.sort();
    items.dedup();
    listed(items)
}

/// An address is the network of itself alone; the server writes it so.
fn network(text: &str) -> String {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map_or_else(|_| text.to_owned(), |net| net.to_string())
}

/// As the server keeps it: a slash at the end or a capital in the host makes no other URL.
fn canonical_url(text: &str) -> String {
    BaseUrl::parse(text).map_or_else(|_| text.to_owned(), |base| base.to_string())
}

const SEALED: &str = "sealed";
