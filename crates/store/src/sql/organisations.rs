//! Organisations, with the workspaces and members that they begin with.

use super::Store;
use super::columns::word;
use super::engine::{Engine, Tx, on_engine, statements};
use super::error::taken;
use super::page::{after, page, rows_to_read};
use super::tenant_rows::{OrganisationRow, WorkspaceRow};
use async_trait::async_trait;
use topdog_domain::audit::AuditDraft;
use topdog_domain::labels::DataSegment;
use topdog_domain::ports::{NewOrganisation, OrganisationChange, Organisations, Page, PageWish, PortError};
use topdog_domain::tenant::{Member, Organisation, Workspace};
use topdog_domain::{OrgId, Timestamp};

#[async_trait]
impl Organisations for Store {
    async fn organisation_create(&self, new: &NewOrganisation, audit: &AuditDraft) -> Result<(), PortError> {
        let mut tx = self.pools().begin().await?;
        add(&mut tx, &new.organisation)
            .await
            .map_err(taken("an organisation of that name is there already"))?;
        add_workspace(&mut tx, &new.workspace).await?;
        add_member(&mut tx, &new.owner).await?;
        self.commit_change(tx, new.organisation.id, audit).await
    }

    async fn organisation_find(&self, id: OrgId) -> Result<Option<Organisation>, PortError> {
        let id = id.to_string();
        let row: Option<OrganisationRow> =
            on_engine!(self.pools().readers(), |db| sqlx::query_as(FIND).bind(id).fetch_optional(db).await)?;
        row.map(Organisation::try_from).transpose()
    }

    async fn organisation_find_by_name(&self, name: &str) -> Result<Option<Organisation>, PortError> {
        let row: Option<OrganisationRow> =
            on_engine!(self.pools().readers(), |db| sqlx::query_as(FIND_BY_NAME)
                .bind(name)
                .fetch_optional(db)
                .await)?;
        row.map(Organisation::try_from).transpose()
    }

    async fn organisation_list(&self, wish: &PageWish) -> Result<Page<Organisation>, PortError> {
        let after = after::<OrgId>(wish)?.unwrap_or_default();
        let rows: Vec<OrganisationRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST)
            .bind(&after)
            .bind(rows_to_read(wish))
            .fetch_all(db)
            .await)?;
        page(wish, rows, |row| row.id.clone(), Organisation::try_from)
    }

    async fn organisation_change(
        &self,
        id: OrgId,
        change: &OrganisationChange,
        audit: &AuditDraft,
    ) -> Result<Organisation, PortError> {
        let mut tx = self.pools().begin().await?;
        let mut organisation = lock(&mut tx, id).await?;
        if let Some(tier) = &change.tier {
            organisation.tier = tier.clone();
        }
        if let Some(segment) = change.data_segment {
            organisation.data_segment = segment;
        }
        on_engine!(tx.conn(), |db| sqlx::query(CHANGE)
            .bind(id.to_string())
            .bind(organisation.tier.as_str())
            .bind(organisation.data_segment.map(DataSegment::name))
            .execute(db)
            .await
            .map(|_| ()))?;
        self.commit_change(tx, id, audit).await?;
        Ok(organisation)
    }

    async fn organisation_destroy(&self, id: OrgId, audit: &AuditDraft) -> Result<(), PortError> {
        let mut tx = self.pools().begin().await?;
        lock(&mut tx, id).await?;
        for statement in SHRED {
            on_engine!(tx.conn(), |db| sqlx::query(*statement)
                .bind(id.to_string())
                .execute(db)
                .await
                .map(|_| ()))?;
        }
        for statement in [REVOKE_KEYS, BURY] {
            on_engine!(tx.conn(), |db| sqlx::query(statement)
                .bind(id.to_string())
                .bind(audit.at.micros())
                .execute(db)
                .await
                .map(|_| ()))?;
        }
        self.commit_change(tx, id, audit).await?;
        // There may be millions; what an interruption leaves, retention deletes.
        self.debug_logs_strip(id, Timestamp::from_micros(i64::MAX)).await?;
        self.overwrite_deleted().await
    }

    async fn workspace_list(&self, id: OrgId) -> Result<Vec<Workspace>, PortError> {
        let id = id.to_string();
        let rows: Vec<WorkspaceRow> =
            on_engine!(self.pools().readers(), |db| sqlx::query_as(WORKSPACES).bind(id).fetch_all(db).await)?;
        rows.into_iter().map(Workspace::try_from).collect()
    }
}

/// Makes this transaction the only one that changes the organisation, until its end.
/// [`PortError::NotFound`] where it is gone.
pub(super) async fn lock(tx: &mut Tx, org: OrgId) -> Result<Organisation, PortError> {
    let row: OrganisationRow =
        on_engine!(tx.conn(), |db| sqlx::query_as(LOCK).bind(org.to_string()).fetch_one(db).await)?;
    row.try_into()
}

async fn add(tx: &mut Tx, organisation: &Organisation) -> Result<(), PortError> {
    on_engine!(tx.conn(), |db| sqlx::query(ADD)
        .bind(organisation.id.to_string())
        .bind(&organisation.name)
        .bind(organisation.tier.as_str())
        .bind(organisation.data_segment.map(DataSegment::name))
        .bind(organisation.created_at.micros())
        .execute(db)
        .await
        .map(|_| ()))
}

async fn add_workspace(tx: &mut Tx, workspace: &Workspace) -> Result<(), PortError> {
    on_engine!(tx.conn(), |db| sqlx::query(ADD_WORKSPACE)
        .bind(workspace.id.to_string())
        .bind(workspace.org.to_string())
        .bind(&workspace.name)
        .bind(workspace.data_segment.map(DataSegment::name))
        .bind(workspace.created_at.micros())
        .execute(db)
        .await
        .map(|_| ()))
}

async fn add_member(tx: &mut Tx, member: &Member) -> Result<(), PortError> {
    let role = word(&member.role)?;
    on_engine!(tx.conn(), |db| sqlx::query(ADD_MEMBER)
        .bind(member.id.to_string())
        .bind(member.org.to_string())
        .bind(&member.name)
        .bind(&role)
        .bind(member.created_at.micros())
        .execute(db)
        .await
        .map(|_| ()))
}

impl Store {
    /// Sees to it that SQLite's log does not keep what was just overwritten in the file.
    async fn overwrite_deleted(&self) -> Result<(), PortError> {
        let Engine::Sqlite(db) = self.pools().writer() else {
            return Ok(());
        };
        let was_held: Result<i64, _> = sqlx::query_scalar(TRUNCATE_LOG_SQLITE).fetch_one(db).await;
        if was_held.map_err(super::error::from_engine)? != 0 {
            tracing::warn!(
                "a reader holds the database's log: what was destroyed is overwritten there later"
            );
        }
        Ok(())
    }
}

const TRUNCATE_LOG_SQLITE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// What is deleted of an organisation: what its keys are sealed with and all that names people. Secrets go
/// before the keys that wrap them.
const SHRED: &[&str] = &[
    SHRED_SECRETS,
    SHRED_ORG_KEYS,
    SHRED_PROVIDER_KEYS,
    SHRED_ENDPOINTS,
    SHRED_POLICIES,
    SHRED_API_KEY_SECRETS,
    SHRED_WORKSPACES,
    SHRED_MEMBERS,
];

statements! {
    FIND = "SELECT id, name, tier, data_segment, created_at FROM organisations
        WHERE id = $1 AND destroyed_at IS NULL";
    FIND_BY_NAME = "SELECT id, name, tier, data_segment, created_at FROM organisations
        WHERE name = $1 AND destroyed_at IS NULL";
    LIST = "SELECT id, name, tier, data_segment, created_at FROM organisations
        WHERE id > $1 AND destroyed_at IS NULL ORDER BY id LIMIT $2";
    LOCK = "UPDATE organisations SET revision = revision + 1 WHERE id = $1 AND destroyed_at IS NULL
        RETURNING id, name, tier, data_segment, created_at";
    ADD = "INSERT INTO organisations (id, name, tier, data_segment, created_at, revision)
        VALUES ($1, $2, $3, $4, $5, 1)";
    ADD_WORKSPACE = "INSERT INTO workspaces (id, org, name, data_segment, created_at)
        VALUES ($1, $2, $3, $4, $5)";
    ADD_MEMBER = "INSERT INTO members (id, org, name, role, created_at) VALUES ($1, $2, $3, $4, $5)";
    CHANGE = "UPDATE organisations SET tier = $2, data_segment = $3 WHERE id = $1";
    WORKSPACES = "SELECT id, org, name, data_segment, created_at FROM workspaces WHERE org = $1 ORDER BY id";
    SHRED_SECRETS = "DELETE FROM sealed_secrets WHERE org = $1";
    SHRED_ORG_KEYS = "DELETE FROM org_keys WHERE org = $1";
    SHRED_PROVIDER_KEYS = "DELETE FROM provider_keys WHERE org = $1";
    SHRED_ENDPOINTS = "DELETE FROM endpoints WHERE org = $1";
    SHRED_POLICIES = "DELETE FROM policies WHERE org = $1";
    SHRED_API_KEY_SECRETS = "DELETE FROM api_key_secrets WHERE org = $1";
    SHRED_WORKSPACES = "DELETE FROM workspaces WHERE org = $1";
    SHRED_MEMBERS = "DELETE FROM members WHERE org = $1";
    REVOKE_KEYS = "UPDATE api_keys SET revoked_at = $2 WHERE org = $1 AND revoked_at IS NULL";
    BURY = "UPDATE organisations SET name = id, destroyed_at = $2 WHERE id = $1";
}
