//! Policies and their versions.

use super::columns::{parsed, unsigned};
use super::engine::{Tx, on_engine, statements};
use super::page::{after, page, rows_to_read};
use super::{Store, organisations};
use async_trait::async_trait;
use sqlx::FromRow;
use topdog_domain::audit::AuditDraft;
use topdog_domain::policy::{PolicyInForce, PolicyScope};
use topdog_domain::ports::{NewPolicy, Page, PageWish, Policies, PolicyVersion, PortError, VERSIONS_KEPT};
use topdog_domain::{OrgId, Timestamp};

#[derive(FromRow)]
pub(super) struct PolicyRow {
    org: String,
    scope: String,
    version: i64,
    document: Option<String>,
    author: String,
    created_at: i64,
}

impl TryFrom<PolicyRow> for PolicyVersion {
    type Error = PortError;

    fn try_from(row: PolicyRow) -> Result<Self, PortError> {
        Ok(Self {
            scope: parsed("policies.scope", &row.scope)?,
            version: unsigned("policies.version", row.version)?,
            document: row.document,
            author: row.author,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}

impl PolicyRow {
    /// Whose it is, and what is in force.
    pub(super) fn in_force(self) -> Result<(OrgId, PolicyInForce), PortError> {
        let org = parsed("policies.org", &self.org)?;
        let policy = PolicyInForce::stored(&self.try_into()?);
        if policy.policy.is_none() {
            tracing::error!(%org, scope = %policy.scope, "a policy can't be understood and denies everything");
        }
        Ok((org, policy))
    }
}

#[async_trait]
impl Policies for Store {
    async fn policy_put(&self, new: &NewPolicy, audit: &AuditDraft) -> Result<PolicyVersion, PortError> {
        let mut tx = self.pools().begin().await?;
        organisations::lock(&mut tx, new.org).await?;
        let newest = newest(&mut tx, new).await?;
        let in_force =
            newest.as_ref().filter(|there| there.document.is_some()).map_or(0, |there| there.version);
        if new.document.is_none() && in_force == 0 {
            return Err(PortError::NotFound);
        }
        if new.expected.is_some_and(|expected| expected != in_force) {
            return Err(PortError::Conflict("another version is in force"));
        }
        if new.document.is_some() {
            require_room(&mut tx, new).await?;
        }
        let version = PolicyVersion {
            scope: new.scope,
            version: newest.map_or(0, |there| there.version).saturating_add(1),
            document: new.document.clone(),
            author: new.author.clone(),
            created_at: new.at,
        };
        add(&mut tx, new.org, &version).await?;
        self.commit_change(tx, new.org, &audit.clone().with("version", version.version)).await?;
        Ok(version)
    }

    async fn policy_list(&self, org: OrgId) -> Result<Vec<PolicyVersion>, PortError> {
        let org = org.to_string();
        let rows: Vec<PolicyRow> =
            on_engine!(self.pools().readers(), |db| sqlx::query_as(IN_FORCE).bind(&org).fetch_all(db).await)?;
        rows.into_iter().map(PolicyVersion::try_from).collect()
    }

    async fn policy_find(&self, org: OrgId, scope: PolicyScope) -> Result<Option<PolicyVersion>, PortError> {
        let row: Option<PolicyRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(NEWEST)
            .bind(org.to_string())
            .bind(scope.to_string())
            .fetch_optional(db)
            .await)?;
        let newest = row.map(PolicyVersion::try_from).transpose()?;
        Ok(newest.filter(|version| version.document.is_some()))
    }

    async fn policy_version(
        &self,
        org: OrgId,
        scope: PolicyScope,
        version: u32,
    ) -> Result<Option<PolicyVersion>, PortError> {
        let row: Option<PolicyRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(FIND)
            .bind(org.to_string())
            .bind(scope.to_string())
            .bind(i64::from(version))
            .fetch_optional(db)
            .await)?;
        row.map(PolicyVersion::try_from).transpose()
    }

    async fn policy_history(
        &self,
        org: OrgId,
        scope: PolicyScope,
        wish: &PageWish,
    ) -> Result<Page<PolicyVersion>, PortError> {
        let before = match after::<u32>(wish)? {
            Some(version) => parsed("a page's beginning", &version)?,
            None => i64::MAX,
        };
        let rows: Vec<PolicyRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(HISTORY)
            .bind(org.to_string())
            .bind(scope.to_string())
            .bind(before)
            .bind(rows_to_read(wish))
            .fetch_all(db)
            .await)?;
        page(wish, rows, |row| row.version.to_string(), PolicyVersion::try_from)
    }
}

async fn newest(tx: &mut Tx, new: &NewPolicy) -> Result<Option<PolicyVersion>, PortError> {
    let row: Option<PolicyRow> = on_engine!(tx.conn(), |db| sqlx::query_as(NEWEST)
        .bind(new.org.to_string())
        .bind(new.scope.to_string())
        .fetch_optional(db)
        .await)?;
    row.map(PolicyVersion::try_from).transpose()
}

async fn require_room(tx: &mut Tx, new: &NewPolicy) -> Result<(), PortError> {
    let others: i64 = on_engine!(tx.conn(), |db| sqlx::query_scalar(COUNT_OTHERS)
        .bind(new.org.to_string())
        .bind(new.scope.to_string())
        .fetch_one(db)
        .await)?;
    if others < i64::from(new.most) {
        return Ok(());
    }
    Err(PortError::LimitReached { used: unsigned("policies", others)? })
}

/// Adds a version, and forgets those that are too many.
async fn add(tx: &mut Tx, org: OrgId, version: &PolicyVersion) -> Result<(), PortError> {
    on_engine!(tx.conn(), |db| sqlx::query(ADD)
        .bind(org.to_string())
        .bind(version.scope.to_string())
        .bind(i64::from(version.version))
        .bind(&version.document)
        .bind(&version.author)
        .bind(version.created_at.micros())
        .execute(db)
        .await
        .map(|_| ()))?;
    on_engine!(tx.conn(), |db| sqlx::query(FORGET)
        .bind(org.to_string())
        .bind(version.scope.to_string())
        .bind(i64::from(version.version) - i64::from(VERSIONS_KEPT))
        .execute(db)
        .await
        .map(|_| ()))
}

statements! {
    NEWEST = "SELECT org, scope, version, document, author, created_at FROM policies
        WHERE org = $1 AND scope = $2 ORDER BY version DESC LIMIT 1";
    FIND = "SELECT org, scope, version, document, author, created_at FROM policies
        WHERE org = $1 AND scope = $2 AND version = $3";
    HISTORY = "SELECT org, scope, version, document, author, created_at FROM policies
        WHERE org = $1 AND scope = $2 AND version < $3 ORDER BY version DESC LIMIT $4";
    IN_FORCE = "SELECT org, scope, version, document, author, created_at FROM policies AS there
        WHERE org = $1 AND document IS NOT NULL AND version = (SELECT MAX(version) FROM policies AS newest
            WHERE newest.org = there.org AND newest.scope = there.scope)
        ORDER BY scope";
    COUNT_OTHERS = "SELECT COUNT(*) FROM policies AS there
        WHERE org = $1 AND scope <> $2 AND document IS NOT NULL
            AND version = (SELECT MAX(version) FROM policies AS newest
                WHERE newest.org = there.org AND newest.scope = there.scope)";
    ADD = "INSERT INTO policies (org, scope, version, document, author, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    FORGET = "DELETE FROM policies WHERE org = $1 AND scope = $2 AND version <= $3";
}
