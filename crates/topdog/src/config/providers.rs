use super::checked::{Bad, Checked, one_of};
use super::raw;
use std::collections::BTreeMap;
use topdog_domain::provider::{Family, ProviderName};
use topdog_egress::BaseUrl;

/// A provider that every organisation may bring a key for, if its tier has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderConfig {
    /// How it is named in front of a model.
    pub(crate) name: ProviderName,
    /// Where it is, as text that can be a base URL: the egress policy judges it.
    pub(crate) base_url: String,
    /// What it speaks.
    pub(crate) dialect: Family,
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
    let dialect = one_of(key("dialect"), &raw.dialect, &Family::ALL.map(|family| (family.name(), family)))?;
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
    Ok(Some(ProviderConfig {
        name,
        base_url: base_url.clone(),
        dialect,
        takes_stream_options: raw.stream_options,
    }))
}

/// Ends of URLs that are often taken for base URLs.
const OPERATIONS: [&str; 6] =
    ["/chat/completions", "/completions", "/responses", "/messages", "/v2/chat", "/embeddings"];
