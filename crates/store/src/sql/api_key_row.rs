//! Rows of Top Dog API keys and of their secrets.

use super::columns::{digest, from_json, from_word, parsed, unsigned};
use super::error::corrupt;
use std::collections::HashMap;
use topdog_domain::Timestamp;
use topdog_domain::api_key::{ApiKey, KeySecret, PublicId};
use topdog_domain::ports::PortError;
use topdog_domain::tier::Limit;

#[derive(sqlx::FromRow)]
pub(super) struct ApiKeyRow {
    pub(super) id: String,
    org: String,
    workspace: Option<String>,
    name: String,
    mode: String,
    scopes: String,
    models: String,
    ip_allow: String,
    llm_requests_per_day: i64,
    expires_at: Option<i64>,
    created_at: i64,
    revoked_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
pub(super) struct SecretRow {
    api_key: String,
    public_id: String,
    hash: Vec<u8>,
    pepper_version: i64,
    not_after: Option<i64>,
}

/// The key with its secrets, newest first.
fn api_key(row: ApiKeyRow, secrets: Vec<KeySecret>) -> Result<ApiKey, PortError> {
    let networks: Vec<String> = from_json("api_keys.ip_allow", &row.ip_allow)?;
    let networks = networks.iter().map(|net| parsed("api_keys.ip_allow", net));
    Ok(ApiKey {
        id: parsed("api_keys.id", &row.id)?,
        org: parsed("api_keys.org", &row.org)?,
        workspace: row.workspace.map(|w| parsed("api_keys.workspace", &w)).transpose()?,
        name: row.name,
        mode: from_word("api_keys.mode", row.mode)?,
        scopes: from_json("api_keys.scopes", &row.scopes)?,
        models: from_json("api_keys.models", &row.models)?,
        ip_allow: networks.collect::<Result<_, _>>()?,
        llm_requests_per_day: Limit::from_column(row.llm_requests_per_day),
        expires_at: row.expires_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
        revoked_at: row.revoked_at.map(Timestamp::from_micros),
        secrets,
    })
}

/// Keys with their secrets, from the rows of both; secrets come newest first.
pub(super) fn api_keys(rows: Vec<ApiKeyRow>, secrets: Vec<SecretRow>) -> Result<Vec<ApiKey>, PortError> {
    let mut secrets = by_key(secrets)?;
    rows.into_iter()
        .map(|row| {
            let secrets = secrets.remove(&row.id).unwrap_or_default();
            api_key(row, secrets)
        })
        .collect()
}

fn by_key(rows: Vec<SecretRow>) -> Result<HashMap<String, Vec<KeySecret>>, PortError> {
    let mut keys: HashMap<String, Vec<KeySecret>> = HashMap::new();
    for row in rows {
        let secret = KeySecret {
            public_id: PublicId::parse(&row.public_id).ok_or_else(|| corrupt("api_key_secrets.public_id"))?,
            hash: digest("api_key_secrets.hash", &row.hash)?,
            pepper_version: unsigned("api_key_secrets.pepper_version", row.pepper_version)?,
            not_after: row.not_after.map(Timestamp::from_micros),
        };
        keys.entry(row.api_key).or_default().push(secret);
    }
    Ok(keys)
}
