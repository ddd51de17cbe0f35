//! Where a provider is for an organisation: the only place that its keys may be sent to.

use crate::checks::bad_field;
use crate::platform::Platform;
use crate::problem::Problem;
use topdog_domain::directory::OrgView;
use topdog_domain::provider::{MAJOR_PROVIDERS, Manner, ProviderApi, ProviderName};
use topdog_egress::BaseUrl;

/// Where a provider is, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct ProviderPlace {
    /// What its API's paths are added to.
    pub base: BaseUrl,
    /// How it is spoken to.
    pub manner: Manner,
}

/// Names that no custom endpoint may take. A provider whose place is another for each customer is one where the operator
/// names no place for all.
pub(crate) fn is_reserved(platform: &Platform, name: &ProviderName) -> bool {
    let is_of_customers_place =
        ProviderApi::from_name(name.as_str()).is_some_and(ProviderApi::is_of_customers_place);
    platform.providers.contains_key(name)
        || (MAJOR_PROVIDERS.contains(&name.as_str()) && !is_of_customers_place)
        || matches!(name.as_str(), "test" | "custom")
}

/// Where the provider is, if the organisation's tier may use it.
pub(crate) fn of(
    platform: &Platform,
    org: &OrgView,
    provider: &ProviderName,
) -> Result<ProviderPlace, Problem> {
    let is_custom = !is_reserved(platform, provider);
    let tiers = platform.parts.directory.tiers();
    tiers.require_provider(&org.tier, provider, is_custom)?;
    find(platform, org, provider).ok_or_else(|| {
        let known: Vec<&str> = platform.providers.keys().map(ProviderName::as_str).collect();
        let own = org.facts.endpoints.iter().map(|endpoint| endpoint.name.as_str());
        let known: Vec<&str> = known.into_iter().chain(own).collect();
        bad_field("provider", format!("there is no such provider here; there are {}", known.join(", ")))
    })
}

/// Where the provider is, whether or not the tier may use it.
pub(crate) fn find(platform: &Platform, org: &OrgView, provider: &ProviderName) -> Option<ProviderPlace> {
    match platform.providers.get(provider) {
        Some(place) => Some(place.clone()),
        None => {
            let endpoint = org.endpoint(provider.as_str())?;
            let base = BaseUrl::parse(&endpoint.base_url).ok()?;
            Some(ProviderPlace { base, manner: endpoint.manner.clone() })
        }
    }
}

/// Is it a provider's name, or that of an endpoint of the organisation?
pub(crate) fn is_known(platform: &Platform, org: &OrgView, provider: &ProviderName) -> bool {
    let name = provider.as_str();
    let is_test = name == "test" && platform.parts.is_test_provider_enabled;
    is_test
        || MAJOR_PROVIDERS.contains(&name)
        || platform.providers.contains_key(provider)
        || org.endpoint(name).is_some()
}
