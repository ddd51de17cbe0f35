//! Things for tests to put into the fakes, and into the real engines.

use crate::api_key::{ApiKey, KeyMode, KeySecret, PublicId, Scope};
use crate::audit::{Actor, AuditDraft};
use crate::labels::{DataSegment, Plan};
use crate::ports::{NewOrganisation, SealedSecret, WrappedOrgKey};
use crate::provider::{Manner, Operation, ProviderName};
use crate::tenant::{Endpoint, KeySource, Member, Organisation, ProviderKey, Role, Workspace};
use crate::tier::{Limit, Tier, TierName};
use crate::usage::{KeyUse, Outcome, RequestRecord, TokenUsage, UsageSource};
use crate::{
    ApiKeyId, EndpointId, MemberId, OrgId, ProviderKeyId, RecordId, RequestId, Timestamp, WorkspaceId,
};

/// 2026-01-01T00:00:00Z.
pub const NEW_YEAR: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// The name of a tier of the standard catalogue.
///
/// # Panics
/// Where there is no such tier.
#[must_use]
#[expect(clippy::expect_used, reason = "a test that names a tier that is not there is wrong and should stop")]
pub fn tier(name: &str) -> TierName {
    let mut tiers = Tier::standard_catalogue().into_iter();
    tiers.find(|tier| tier.name.as_str() == name).expect("a tier of the standard catalogue").name
}

/// An organisation with its owner and its workspace, made at [`NEW_YEAR`].
#[must_use]
pub fn organisation(name: &str, tier_name: &str) -> NewOrganisation {
    let org = OrgId::new();
    NewOrganisation {
        organisation: Organisation {
            id: org,
            name: name.to_owned(),
            tier: tier(tier_name),
            data_segment: None,
            created_at: NEW_YEAR,
        },
        owner: Member {
            id: MemberId::new(),
            org,
            name: "Olive Owner".to_owned(),
            role: Role::Owner,
            created_at: NEW_YEAR,
        },
        workspace: Workspace {
            id: WorkspaceId::new(),
            org,
            name: "default".to_owned(),
            data_segment: None,
            created_at: NEW_YEAR,
        },
    }
}

/// An audit entry of the operator.
#[must_use]
pub fn audit(org: OrgId, action: &str) -> AuditDraft {
    AuditDraft::new(NEW_YEAR, org, Actor::Operator, action, org)
}

/// A key of that name with every scope and no limits.
#[must_use]
pub fn api_key(org: OrgId, name: &str) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(),
        org,
        workspace: None,
        name: name.to_owned(),
        mode: KeyMode::Live,
        scopes: Scope::ALL.to_vec(),
        models: Vec::new(),
        ip_allow: Vec::new(),
        llm_requests_per_day: Limit::Unlimited,
        expires_at: None,
        created_at: NEW_YEAR,
        revoked_at: None,
        secrets: vec![key_secret()],
    }
}

/// A secret that no token has, with a public id of its own.
///
/// # Panics
/// Never: hexadecimal digits are digits of base 62.
#[must_use]
#[expect(clippy::expect_used, reason = "12 hexadecimal digits are a public id")]
pub fn key_secret() -> KeySecret {
    let unique = format!("{:032x}", RecordId::new().uuid().as_u128());
    let public_id = unique.get(20..).and_then(PublicId::parse).expect("12 digits of base 62");
    KeySecret { public_id, hash: [7; 32], pepper_version: 1, not_after: None }
}

/// A key for OpenAI, sealed in our own vault: see [`sealed_secret`].
#[must_use]
pub fn provider_key(org: OrgId, name: &str) -> ProviderKey {
    ProviderKey {
        id: ProviderKeyId::new(),
        org,
        provider: ProviderName::openai(),
        name: name.to_owned(),
        origin: "https://api.openai.com".to_owned(),
        source: KeySource::Sealed,
        version: 1,
        created_at: NEW_YEAR,
        rotated_at: NEW_YEAR,
    }
}

/// The sealed form of the key's present version, under the organisation's key of that version.
#[must_use]
pub fn sealed_secret(key: &ProviderKey, org_key_version: u32) -> SealedSecret {
    SealedSecret {
        org: key.org,
        provider_key: key.id,
        version: key.version,
        provider: key.provider.clone(),
        origin: key.origin.clone(),
        org_key_version,
        alg: "aes-256-gcm-siv".to_owned(),
        wrapped_data_key: vec![1, 2, 3],
        ciphertext: vec![4, 5, 6],
    }
}

/// A version of the organisation's key under a version of the root key `root`.
#[must_use]
pub fn org_key(org: OrgId, version: u32, root_version: u32) -> WrappedOrgKey {
    WrappedOrgKey {
        org,
        version,
        root_id: "root".to_owned(),
        root_version,
        alg: "aes-256-gcm-siv".to_owned(),
        wrapped: vec![8, 9],
        created_at: NEW_YEAR,
    }
}

/// A custom endpoint.
///
/// # Panics
/// Where the name can't be a provider's.
#[must_use]
#[expect(clippy::expect_used, reason = "a test that names an endpoint so is wrong and should stop")]
pub fn endpoint(org: OrgId, name: &str) -> Endpoint {
    Endpoint {
        id: EndpointId::new(),
        org,
        name: ProviderName::parse(name).expect("a provider's name"),
        base_url: "https://llm.example.com/v1".to_owned(),
        manner: Manner::default(),
        models: vec!["llama".to_owned()],
        is_keyless: false,
        created_at: NEW_YEAR,
    }
}

/// A completed, counted, priced request that used a provider key whose use is not yet audited.
#[must_use]
pub fn request_record(org: OrgId, at: Timestamp) -> RequestRecord {
    RequestRecord {
        id: RecordId::new(),
        request: RequestId::new(),
        at,
        org,
        workspace: None,
        api_key: ApiKeyId::new(),
        client_ip: "192.0.2.7".into(),
        plan: Plan::Pro,
        segment: DataSegment::General,
        operation: Operation::Chat,
        is_stream: true,
        provider: ProviderName::openai(),
        model_requested: "gpt-4o-mini".into(),
        model: "gpt-4o-mini".into(),
        key_use: Some(KeyUse { provider_key: ProviderKeyId::new(), version: 1, is_audited: false }),
        outcome: Outcome::Completed,
        status: 200,
        is_counted: true,
        tokens: TokenUsage {
            input: 10,
            cache_read: 20,
            cache_write_5m: 3,
            cache_write_1h: 4,
            output: 50,
            reasoning: 6,
        },
        source: UsageSource::Provider,
        cost_nanodollars: Some(1_500),
        first_byte_us: Some(200_000),
        total_us: 900_000,
        overhead_us: 150,
        bytes_in: 512,
        bytes_out: 4_096,
        error_code: None,
        guardrails: None,
    }
}
