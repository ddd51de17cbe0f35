//! Rows of tenants and of what they own.

use super::columns::{from_json, parsed, segment, unsigned};
use super::engine::{Tx, on_engine};
use super::error::corrupt;
use super::{Store, organisations};
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use topdog_domain::ports::PortError;
use topdog_domain::provider::{Manner, ProviderApi, ProviderName};
use topdog_domain::tenant::{Endpoint, KeySource, Organisation, ProviderKey, Workspace};
use topdog_domain::tier::TierName;
use topdog_domain::{OrgId, Timestamp};

#[derive(FromRow)]
pub(super) struct OrganisationRow {
    pub(super) id: String,
    name: String,
    tier: String,
    data_segment: Option<String>,
    created_at: i64,
}

impl TryFrom<OrganisationRow> for Organisation {
    type Error = PortError;

    fn try_from(row: OrganisationRow) -> Result<Self, PortError> {
        Ok(Self {
            id: parsed("organisations.id", &row.id)?,
            name: row.name,
            tier: TierName::parse(&row.tier).map_err(|_| corrupt("organisations.tier"))?,
            data_segment: segment("organisations.data_segment", row.data_segment)?,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}

#[derive(FromRow)]
pub(super) struct WorkspaceRow {
    id: String,
    org: String,
    name: String,
    data_segment: Option<String>,
    created_at: i64,
}

impl TryFrom<WorkspaceRow> for Workspace {
    type Error = PortError;

    fn try_from(row: WorkspaceRow) -> Result<Self, PortError> {
        Ok(Self {
            id: parsed("workspaces.id", &row.id)?,
            org: parsed("workspaces.org", &row.org)?,
            name: row.name,
            data_segment: segment("workspaces.data_segment", row.data_segment)?,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}

#[derive(FromRow)]
pub(super) struct ProviderKeyRow {
    id: String,
    org: String,
    provider: String,
    name: String,
    origin: String,
    reference: Option<String>,
    version: i64,
    created_at: i64,
    rotated_at: i64,
}

impl TryFrom<ProviderKeyRow> for ProviderKey {
    type Error = PortError;

    fn try_from(row: ProviderKeyRow) -> Result<Self, PortError> {
        Ok(Self {
            id: parsed("provider_keys.id", &row.id)?,
            org: parsed("provider_keys.org", &row.org)?,
            provider: provider("provider_keys.provider", &row.provider)?,
            name: row.name,
            origin: row.origin,
            source: row.reference.map_or(KeySource::Sealed, KeySource::Reference),
            version: unsigned("provider_keys.version", row.version)?,
            created_at: Timestamp::from_micros(row.created_at),
            rotated_at: Timestamp::from_micros(row.rotated_at),
        })
    }
}

#[derive(FromRow)]
pub(super) struct EndpointRow {
    id: String,
    org: String,
    name: String,
    base_url: String,
    dialect: String,
    api_version: Option<String>,
    region: Option<String>,
    models: String,
    is_keyless: bool,
    created_at: i64,
}

impl TryFrom<EndpointRow> for Endpoint {
    type Error = PortError;

    fn try_from(row: EndpointRow) -> Result<Self, PortError> {
        Ok(Self {
            id: parsed("endpoints.id", &row.id)?,
            org: parsed("endpoints.org", &row.org)?,
            name: provider("endpoints.name", &row.name)?,
            base_url: row.base_url,
            manner: manner(&row.dialect, row.api_version.as_deref(), row.region.as_deref())?,
            models: from_json("endpoints.models", &row.models)?,
            is_keyless: row.is_keyless,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}

fn manner(dialect: &str, api_version: Option<&str>, region: Option<&str>) -> Result<Manner, PortError> {
    let api = ProviderApi::from_name(dialect).ok_or_else(|| corrupt("endpoints.dialect"))?;
    // Whatever a host tells has been written down with it.
    Manner::at(api, "", api_version, region).map_err(|_| corrupt("endpoints.region"))
}

/// The rows of an organisation that the statement lists, as what they stand for.
pub(super) async fn list<Row, T>(
    store: &Store,
    statement: &'static str,
    org: OrgId,
) -> Result<Vec<T>, PortError>
where
    Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    T: TryFrom<Row, Error = PortError>,
{
    let org = org.to_string();
    let rows: Vec<Row> =
        on_engine!(store.pools().readers(), |db| sqlx::query_as(statement).bind(org).fetch_all(db).await)?;
    rows.into_iter().map(T::try_from).collect()
}

/// Deletes the row of an organisation that the statement finds by `name`; [`PortError::NotFound`] where there is none.
/// Where with the row that was just added there are too many: counted while the organisation is locked, so that no more
/// get in however many come at once.
pub(super) async fn require_within(
    tx: &mut Tx,
    count: &'static str,
    org: OrgId,
    most: u64,
) -> Result<(), PortError> {
    let used: i64 =
        on_engine!(tx.conn(), |db| sqlx::query_scalar(count).bind(org.to_string()).fetch_one(db).await)?;
    let used: u64 = unsigned("COUNT(*)", used)?;
    if used <= most { Ok(()) } else { Err(PortError::LimitReached { used: used.saturating_sub(1) }) }
}

pub(super) async fn delete(
    tx: &mut Tx,
    statement: &'static str,
    org: OrgId,
    name: &str,
) -> Result<(), PortError> {
    organisations::lock(tx, org).await?;
    let deleted = on_engine!(tx.conn(), |db| sqlx::query(statement)
        .bind(org.to_string())
        .bind(name)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    if deleted == 0 { Err(PortError::NotFound) } else { Ok(()) }
}

/// A provider's name.
pub(super) fn provider(column: &'static str, name: &str) -> Result<ProviderName, PortError> {
    ProviderName::parse(name).map_err(|_| corrupt(column))
}
