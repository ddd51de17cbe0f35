//! What a node knows of all tenants, read in a fixed number of statements however many tenants there are.

use super::Store;
use super::api_key_row::{ApiKeyRow, SecretRow, api_keys};
use super::columns::parsed;
use super::engine::{Tx, on_engine, statements};
use super::policies::PolicyRow;
use super::tenant_rows::{EndpointRow, OrganisationRow, ProviderKeyRow, WorkspaceRow};
use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use std::collections::HashMap;
use topdog_domain::OrgId;
use topdog_domain::api_key::ApiKey;
use topdog_domain::directory::OrgFacts;
use topdog_domain::policy::PolicyInForce;
use topdog_domain::ports::{Change, ChangeFeed, PortError};
use topdog_domain::tenant::{Endpoint, Organisation, ProviderKey, Workspace};

#[async_trait]
impl ChangeFeed for Store {
    async fn newest_change(&self) -> Result<i64, PortError> {
        on_engine!(self.pools().readers(), |db| sqlx::query_scalar(NEWEST).fetch_one(db).await)
    }

    async fn changes_since(&self, seq: i64) -> Result<Vec<Change>, PortError> {
        let rows: Vec<(i64, Option<String>)> =
            on_engine!(self.pools().readers(), |db| sqlx::query_as(CHANGES_SINCE)
                .bind(seq)
                .fetch_all(db)
                .await)?;
        let change = |(seq, org): (i64, Option<String>)| {
            let org = org.map(|org| parsed("config_changes.org", &org)).transpose()?;
            Ok(Change { seq, org })
        };
        rows.into_iter().map(change).collect()
    }

    async fn load_all(&self) -> Result<Vec<OrgFacts>, PortError> {
        let mut tx = self.pools().begin_snapshot().await?;
        let facts = load(&mut tx, &OrgRange::all()).await?;
        tx.commit().await?;
        Ok(facts)
    }

    async fn load_org(&self, org: OrgId) -> Result<Option<OrgFacts>, PortError> {
        let mut tx = self.pools().begin_snapshot().await?;
        let facts = load(&mut tx, &OrgRange::only(org)).await?;
        tx.commit().await?;
        Ok(facts.into_iter().next())
    }
}

/// Which organisations: from and to an id, both included.
struct OrgRange {
    from: String,
    to: String,
}

impl OrgRange {
    fn only(org: OrgId) -> Self {
        Self { from: org.to_string(), to: org.to_string() }
    }

    fn all() -> Self {
        Self {
            from: String::new(),
            // Behind every id: `g` follows the last hexadecimal digit.
            to: format!("{}g", OrgId::PREFIX),
        }
    }
}

async fn load(tx: &mut Tx, range: &OrgRange) -> Result<Vec<OrgFacts>, PortError> {
    let organisations: Vec<OrganisationRow> = rows(tx, ORGANISATIONS, range).await?;
    let api_keys = load_api_keys(tx, range).await?;
    let mut api_keys = by_org(api_keys, |key| key.org);
    let workspaces = values(rows::<WorkspaceRow>(tx, WORKSPACES, range).await?)?;
    let mut workspaces = by_org(workspaces, |workspace: &Workspace| workspace.org);
    let provider_keys = values(rows::<ProviderKeyRow>(tx, PROVIDER_KEYS, range).await?)?;
    let mut provider_keys = by_org(provider_keys, |key: &ProviderKey| key.org);
    let endpoints = values(rows::<EndpointRow>(tx, ENDPOINTS, range).await?)?;
    let mut endpoints = by_org(endpoints, |endpoint: &Endpoint| endpoint.org);
    let mut policies = load_policies(tx, range).await?;
    let facts = |row: OrganisationRow| {
        let organisation = Organisation::try_from(row)?;
        let id = organisation.id;
        Ok(OrgFacts {
            organisation,
            workspaces: workspaces.remove(&id).unwrap_or_default(),
            api_keys: api_keys.remove(&id).unwrap_or_default(),
            provider_keys: provider_keys.remove(&id).unwrap_or_default(),
            endpoints: endpoints.remove(&id).unwrap_or_default(),
            policies: policies.remove(&id).unwrap_or_default(),
        })
    };
    organisations.into_iter().map(facts).collect()
}

async fn load_api_keys(tx: &mut Tx, range: &OrgRange) -> Result<Vec<ApiKey>, PortError> {
    let keys: Vec<ApiKeyRow> = rows(tx, API_KEYS, range).await?;
    let secrets: Vec<SecretRow> = rows(tx, API_KEY_SECRETS, range).await?;
    api_keys(keys, secrets)
}

async fn load_policies(
    tx: &mut Tx,
    range: &OrgRange,
) -> Result<HashMap<OrgId, Vec<PolicyInForce>>, PortError> {
    let mut policies: HashMap<OrgId, Vec<PolicyInForce>> = HashMap::new();
    for row in rows::<PolicyRow>(tx, POLICIES, range).await? {
        let (org, policy) = row.in_force()?;
        policies.entry(org).or_default().push(policy);
    }
    Ok(policies)
}

async fn rows<T>(tx: &mut Tx, statement: &'static str, range: &OrgRange) -> Result<Vec<T>, PortError>
where
    T: for<'r> sqlx::FromRow<'r, SqliteRow> + for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
{
    on_engine!(tx.conn(), |db| sqlx::query_as(statement)
        .bind(&range.from)
        .bind(&range.to)
        .fetch_all(db)
        .await)
}

fn values<R, T: TryFrom<R, Error = PortError>>(rows: Vec<R>) -> Result<Vec<T>, PortError> {
    rows.into_iter().map(T::try_from).collect()
}

fn by_org<T>(values: Vec<T>, org: impl Fn(&T) -> OrgId) -> HashMap<OrgId, Vec<T>> {
    let mut map: HashMap<OrgId, Vec<T>> = HashMap::new();
    for value in values {
        map.entry(org(&value)).or_default().push(value);
    }
    map
}

statements! {
    NEWEST = "SELECT seq FROM change_clock WHERE id = 1";
    CHANGES_SINCE = "SELECT seq, org FROM config_changes WHERE seq > $1 ORDER BY seq";
    ORGANISATIONS = "SELECT id, name, tier, data_segment, created_at FROM organisations
        WHERE id >= $1 AND id <= $2 AND destroyed_at IS NULL ORDER BY id";
    WORKSPACES = "SELECT id, org, name, data_segment, created_at FROM workspaces
        WHERE org >= $1 AND org <= $2 ORDER BY id";
    API_KEYS = "SELECT id, org, workspace, name, mode, scopes, models, ip_allow, llm_requests_per_day,
            expires_at, created_at, revoked_at
        FROM api_keys WHERE org >= $1 AND org <= $2 AND revoked_at IS NULL ORDER BY id";
    API_KEY_SECRETS = "SELECT api_key, public_id, hash, pepper_version, not_after FROM api_key_secrets
        WHERE org >= $1 AND org <= $2 ORDER BY api_key, generation DESC";
    PROVIDER_KEYS = "SELECT id, org, provider, name, origin, reference, version, created_at, rotated_at
        FROM provider_keys WHERE org >= $1 AND org <= $2 ORDER BY id";
    ENDPOINTS = "SELECT id, org, name, base_url, dialect, api_version, region, models, is_keyless, created_at
        FROM endpoints WHERE org >= $1 AND org <= $2 ORDER BY org, name";
    POLICIES = "SELECT org, scope, version, document, author, created_at FROM policies AS there
        WHERE org >= $1 AND org <= $2 AND document IS NOT NULL
            AND version = (SELECT MAX(version) FROM policies AS newest
                WHERE newest.org = there.org AND newest.scope = there.scope)
        ORDER BY org, scope";
}
