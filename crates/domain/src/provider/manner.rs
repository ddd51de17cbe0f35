//! How a provider is spoken to: whose API it has, and what of that differs from place to place.

use super::Family;
use serde::{Deserialize, Serialize};

/// A provider's API: what is spoken there, where its paths are, and how it is shown a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderApi {
    /// OpenAI's, and that of all who speak like it.
    #[default]
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Cohere's, version 2.
    Cohere,
    /// Google's Gemini.
    Gemini,
    /// Azure OpenAI: OpenAI's dialect, the key in `api-key`. A model's name is that of a deployment, which stands in
    /// the body (version 1) or, where an `api-version` is named, in the path.
    Azure,
    /// Amazon Bedrock: Converse, with requests that are signed (Signature Version 4) or carry a bearer key.
    Bedrock,
    /// Google's Vertex AI: Gemini's dialect, with paths below a project and a location, and access tokens.
    Vertex,
}

impl ProviderApi {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::OpenAi, Self::Anthropic, Self::Cohere, Self::Gemini, Self::Azure, Self::Bedrock, Self::Vertex];

    /// The stable name, as the setting `dialect` takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Cohere => "cohere",
            Self::Gemini => "gemini",
            Self::Azure => "azure",
            Self::Bedrock => "bedrock",
            Self::Vertex => "vertex",
        }
    }

    /// The API of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    /// The family whose dialect is spoken there; none where no caller speaks it.
    #[must_use]
    pub const fn family(self) -> Option<Family> {
        match self {
            Self::OpenAi | Self::Azure => Some(Family::OpenAi),
            Self::Anthropic => Some(Family::Anthropic),
            Self::Cohere => Some(Family::Cohere),
            Self::Gemini | Self::Vertex => Some(Family::Gemini),
            Self::Bedrock => None,
        }
    }

    /// Is its place another for each customer, so that it can be an endpoint of that very name?
    #[must_use]
    pub const fn is_of_customers_place(self) -> bool {
        matches!(self, Self::Azure | Self::Bedrock | Self::Vertex)
    }
}

impl From<Family> for ProviderApi {
    fn from(family: Family) -> Self {
        match family {
            Family::OpenAi => Self::OpenAi,
            Family::Anthropic => Self::Anthropic,
            Family::Cohere => Self::Cohere,
            Family::Gemini => Self::Gemini,
        }
    }
}

/// A provider's API with what differs from place to place. What it holds is fit for a path and for a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    api: ProviderApi,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_version: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<Box<str>>,
}

impl Manner {
    /// The API where nothing more has to be said; Bedrock needs a region.
    #[must_use]
    pub const fn of(api: ProviderApi) -> Self {
        Self { api, api_version: None, region: None }
    }

    /// The API at a host, as somebody describes it; an empty text is none. A region that a host of Amazon's tells need
    /// not be said.
    ///
    /// # Errors
    /// Where a word is not for this API, can't be one, or is missing.
    pub fn at(
        api: ProviderApi,
        host: &str,
        api_version: Option<&str>,
        region: Option<&str>,
    ) -> Result<Self, BadManner> {
        let api_version = api_version.filter(|text| !text.is_empty());
        let region = region.filter(|text| !text.is_empty());
        if let Some(version) = api_version {
            if api != ProviderApi::Azure {
                return Err(BadManner::VersionUnwanted);
            }
            if !is_word(version, |byte| byte.is_ascii_alphanumeric() || byte == b'.') {
                return Err(BadManner::Version);
            }
        }
        let region = match (api, region) {
            (ProviderApi::Bedrock, said) => Some(region_at(host, said)?),
            (_, None) => None,
            (_, Some(_)) => return Err(BadManner::RegionUnwanted),
        };
        Ok(Self { api, api_version: api_version.map(Box::from), region: region.map(Box::from) })
    }

    /// Whose API.
    #[must_use]
    pub const fn api(&self) -> ProviderApi {
        self.api
    }

    /// Azure's `api-version`: where there is one, deployments are in the path.
    #[must_use]
    pub fn api_version(&self) -> Option<&str> {
        self.api_version.as_deref()
    }

    /// Amazon's region, which a signature names.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self::of(ProviderApi::OpenAi)
    }
}

/// What of a provider's description can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadManner {
    /// An `api-version` is Azure's alone.
    #[error("is for the dialect azure only; leave it out")]
    VersionUnwanted,
    /// It is none.
    #[error("must be letters, digits, `.` and `-`, at most 40, such as 2024-10-21")]
    Version,
    /// A region is Bedrock's alone.
    #[error("is for the dialect bedrock only; leave it out")]
    RegionUnwanted,
    /// It is none.
    #[error("must be lower-case letters, digits and `-`, at most 40, such as eu-central-1")]
    Region,
    /// Neither the host nor a setting says it.
    #[error("is missing, and the host does not tell it; say which region requests are signed for")]
    RegionMissing,
    /// The host says another.
    #[error("is not the one that the host tells; leave it out")]
    RegionOther,
}

impl BadManner {
    /// The setting at fault.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::VersionUnwanted | Self::Version => "api_version",
            Self::RegionUnwanted | Self::Region | Self::RegionMissing | Self::RegionOther => "region",
        }
    }
}

fn region_at<'a>(host: &'a str, said: Option<&'a str>) -> Result<&'a str, BadManner> {
    let region = match (region_of_host(host), said) {
        (Some(told), Some(said)) if told != said => return Err(BadManner::RegionOther),
        (told, said) => said.or(told).ok_or(BadManner::RegionMissing)?,
    };
    let is_good = is_word(region, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if is_good { Ok(region) } else { Err(BadManner::Region) }
}

/// The region in a host's name: what stands behind the service (AWS General Reference, "Amazon Bedrock endpoints"; of a
/// VPC's own, "Interface VPC endpoints").
fn region_of_host(host: &str) -> Option<&str> {
    let inner = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let mut labels =
        inner.split('.').skip_while(|label| !matches!(*label, "bedrock-runtime" | "bedrock-runtime-fips"));
    labels.next()?;
    labels.next()
}

fn is_word(text: &str, is_good: impl Fn(u8) -> bool) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| is_good(byte) || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::{BadManner, Manner, ProviderApi, region_of_host};

    #[test]
    fn every_api_is_found_by_its_name() {
        for api in ProviderApi::ALL {
            assert_eq!(ProviderApi::from_name(api.name()), Some(api));
            assert_eq!(serde_json::to_value(api).unwrap(), api.name());
        }
        assert_eq!(ProviderApi::from_name("OpenAI"), None);
    }

    #[test]
    fn a_host_of_amazons_tells_its_region() {
        for (host, region) in [
            ("bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
            ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("vpce-0a1b-c2d3.bedrock-runtime.eu-west-1.vpce.amazonaws.com", Some("eu-west-1")),
            ("bedrock-runtime.us-east-1.amazonaws.com.evil.example", None),
            ("bedrock-runtime.us-east-1.evil.example", None),
            ("bedrock-runtime.amazonaws.com", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(region_of_host(host), region, "{host}");
        }
    }

    #[test]
    fn a_region_is_said_once_and_can_be_one() {
        let amazons = "bedrock-runtime.us-east-1.amazonaws.com";
        let at = |host: &str, region: Option<&str>| {
            Manner::at(ProviderApi::Bedrock, host, None, region)
                .map(|manner| manner.region().unwrap().to_owned())
        };
        assert_eq!(at(amazons, None).unwrap(), "us-east-1");
        assert_eq!(at(amazons, Some("us-east-1")).unwrap(), "us-east-1");
        assert_eq!(at("proxy.example", Some("eu-west-1")).unwrap(), "eu-west-1");
        assert_eq!(at(amazons, Some("us-west-2")), Err(BadManner::RegionOther));
        assert_eq!(at("proxy.example", Some("")), Err(BadManner::RegionMissing));
        for bad in
            ["evil.com#", "a@b", "../x", "a/b", "eu\r\nx: y", "EU-WEST-1", "eu west", "é", &"a".repeat(41)]
        {
            assert_eq!(at("proxy.example", Some(bad)), Err(BadManner::Region), "{bad}");
        }
        let other = Manner::at(ProviderApi::OpenAi, "x.example", None, Some("eu-west-1"));
        assert_eq!(other, Err(BadManner::RegionUnwanted));
    }

    #[test]
    fn a_version_of_azures_can_be_part_of_a_query() {
        let at = |api, version| Manner::at(api, "acme.openai.azure.com", Some(version), None);
        for good in ["2024-10-21", "2025-04-01-preview", "preview"] {
            assert_eq!(at(ProviderApi::Azure, good).unwrap().api_version(), Some(good));
        }
        assert_eq!(at(ProviderApi::Azure, "").unwrap().api_version(), None);
        let long = "1".repeat(41);
        for bad in ["a&b=c", "a#", "a b", "a\r\nb", "../..", "%2e", &long] {
            assert_eq!(at(ProviderApi::Azure, bad), Err(BadManner::Version), "{bad}");
        }
        assert_eq!(at(ProviderApi::OpenAi, "2024-10-21"), Err(BadManner::VersionUnwanted));
    }
}
