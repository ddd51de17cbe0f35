use super::checked::{Bad, Checked, one_of};
use super::raw;
use std::collections::BTreeMap;
use topdog_domain::provider::{Manner, ProviderApi, ProviderName};
use topdog_egress::BaseUrl;

/// A provider that every organisation may bring a key for, if its tier has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderConfig {
    /// How it is named in front of a model.
    pub(crate) name: ProviderName,
    /// Where it is, as text that can be a base URL: the egress policy judges it.
    pub(crate) base_url: String,
    /// How it is spoken to.
    pub(crate) manner: Manner,
    /// May a stream's usage be asked for by `stream_options`?
    pub(crate) takes_stream_options: bool,
}

/// The providers that are on: those with a base URL.
pub(super) fn check(raw: &BTreeMap<String, raw::Provider>) -> Checked<Vec<ProviderConfig>> {
    raw.iter().filter_map(|(name, provider)| one(name, provider).transpose()).collect()
}

fn one(name: &str, raw: &raw::Provider) -> Checked<Option<ProviderConfig>> {
    let table = || format!("providers.{name}");
    let name = ProviderName::parse(name).map_err(|bad| Bad::new(table(), format!("can't be: {bad}")))?;
    if matches!(name.as_str(), "test" | "none" | "custom") {
        return Err(Bad::new(table(), "can't be, as the name has a meaning of its own; take another"));
    }
    let key = |setting: &str| format!("providers.{name}.{setting}");
    let api = one_of(key("dialect"), &raw.dialect, &ProviderApi::ALL.map(|api| (api.name(), api)))?;
    let Some(base_url) = &raw.base_url else {
        return Err(Bad::new(key("base_url"), "is missing; say where the provider is"));
    };
    if base_url.is_empty() {
        return Ok(None);
    }
    let base = BaseUrl::parse(base_url).map_err(|bad| {
        Bad::new(key("base_url"), format!("can't be used: {bad}; an empty text switches the provider off"))
    })?;
    if let Some(path) = OPERATIONS.into_iter().find(|path| base.path_prefix().ends_with(path)) {
        return Err(Bad::new(
            key("base_url"),
            format!("names one operation; leave out `{path}`, which is added to it"),
        ));
    }
    let host = base.origin().authority().host();
    let manner = Manner::at(api, host, Some(&raw.api_version), Some(&raw.region))
        .map_err(|bad| Bad::new(key(bad.setting()), bad.to_string()))?;
    Ok(Some(ProviderConfig {
        name,
        base_url: base_url.clone(),
        manner,
        takes_stream_options: raw.stream_options,
    }))
}

/// Ends of URLs that are often taken for base URLs.
const OPERATIONS: [&str; 6] =
    ["/chat/completions", "/completions", "/responses", "/messages", "/v2/chat", "/embeddings"];
