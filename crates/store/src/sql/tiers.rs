//! The table `membership_tiers`.

use super::Store;
use super::audit_chain;
use super::engine::{Tx, on_engine, statements};
use super::tier_row::TierRow;
use async_trait::async_trait;
use std::collections::BTreeSet;
use topdog_domain::audit::{Appended, AuditDraft};
use topdog_domain::ports::{PortError, Tiers};
use topdog_domain::tier::Tier;

#[async_trait]
impl Tiers for Store {
    async fn tier_list(&self) -> Result<Vec<Tier>, PortError> {
        let rows: Vec<TierRow> =
            on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST).fetch_all(db).await)?;
        rows.into_iter().map(Tier::try_from).collect()
    }

    async fn tier_put(&self, tier: &Tier, audit: &AuditDraft) -> Result<(), PortError> {
        let mut tx = self.pools().begin().await?;
        // Who holds the chain's end is alone with the catalogue: what was there is what this change replaces.
        let heads = audit_chain::lock(&mut tx, BTreeSet::from([audit.org])).await?;
        let was: Option<TierRow> = on_engine!(tx.conn(), |db| sqlx::query_as(FIND)
            .bind(tier.name.to_string())
            .fetch_optional(db)
            .await)?;
        let was = was.map(Tier::try_from).transpose()?;
        write(&mut tx, PUT, tier).await?;
        let audit = tier.audited(was.as_ref(), audit);
        audit_chain::append_behind(&mut tx, heads, &[Appended::Draft(&audit)]).await?;
        self.commit_announced(tx, None).await
    }
}

/// Fills an empty catalogue with the standard one; what an operator has made of it stays.
pub(super) async fn seed(store: &Store) -> Result<(), PortError> {
    let mut tx = store.pools().begin().await?;
    let tiers: i64 = on_engine!(tx.conn(), |db| sqlx::query_scalar(COUNT).fetch_one(db).await)?;
    if tiers > 0 {
        return tx.roll_back().await;
    }
    for tier in Tier::standard_catalogue() {
        write(&mut tx, ADD, &tier).await?;
    }
    tx.commit().await
}

async fn write(tx: &mut Tx, statement: &'static str, tier: &Tier) -> Result<(), PortError> {
    let row = TierRow::from(tier);
    on_engine!(tx.conn(), |db| sqlx::query(statement)
        .bind(row.name)
        .bind(row.family)
        .bind(row.rank)
        .bind(row.api_calls_per_day)
        .bind(row.llm_requests_per_day)
        .bind(row.code_execution_enabled)
        .bind(row.storage_bytes)
        .bind(row.concurrent_jobs)
        .bind(row.api_keys_limit)
        .bind(row.webhooks_enabled)
        .bind(row.debug_log_retention_days)
        .bind(row.version_control_enabled)
        .bind(row.platform_managed_llm_enabled)
        .bind(row.byok_llm_enabled)
        .bind(row.byok_supported_providers)
        .bind(row.byok_basic_only)
        .bind(row.byok_policies_enabled)
        .bind(row.byok_team_keys_enabled)
        .bind(row.custom_integrations_limit)
        .bind(row.team_members_limit)
        .bind(row.rbac_enabled)
        .bind(row.shared_workspaces_enabled)
        .bind(row.audit_logs_enabled)
        .bind(row.resource_quotas_enabled)
        .bind(row.hipaa_mode_enabled)
        .bind(row.soc2_evidence_enabled)
        .bind(row.sso_enabled)
        .bind(row.data_residency_enabled)
        .bind(row.on_premise_enabled)
        .bind(row.support_channel)
        .bind(row.first_response_hours)
        .bind(row.account_manager_enabled)
        .bind(row.key_management_calls_per_minute)
        .execute(db)
        .await
        .map(|_| ()))
}

macro_rules! columns {
    () => {
        "name, family, rank, api_calls_per_day, llm_requests_per_day, code_execution_enabled,
        storage_bytes, concurrent_jobs, api_keys_limit, webhooks_enabled, debug_log_retention_days,
        version_control_enabled, platform_managed_llm_enabled, byok_llm_enabled,
        byok_supported_providers, byok_basic_only, byok_policies_enabled, byok_team_keys_enabled,
        custom_integrations_limit, team_members_limit, rbac_enabled, shared_workspaces_enabled,
        audit_logs_enabled, resource_quotas_enabled, hipaa_mode_enabled, soc2_evidence_enabled,
        sso_enabled, data_residency_enabled, on_premise_enabled, support_channel, first_response_hours,
        account_manager_enabled, key_management_calls_per_minute"
    };
}

macro_rules! insert {
    ($conflict:literal) => {
        concat!(
            "INSERT INTO membership_tiers (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)
            ON CONFLICT (name) DO ",
            $conflict
        )
    };
}

statements! {
    LIST = concat!("SELECT ", columns!(), " FROM membership_tiers ORDER BY rank, name");
    FIND = concat!("SELECT ", columns!(), " FROM membership_tiers WHERE name = $1");
    COUNT = "SELECT COUNT(*) FROM membership_tiers";
    ADD = insert!("NOTHING");
    PUT = insert!("UPDATE SET family = excluded.family, rank = excluded.rank,
        api_calls_per_day = excluded.api_calls_per_day,
        llm_requests_per_day = excluded.llm_requests_per_day,
        code_execution_enabled = excluded.code_execution_enabled, storage_bytes = excluded.storage_bytes,
        concurrent_jobs = excluded.concurrent_jobs, api_keys_limit = excluded.api_keys_limit,
        webhooks_enabled = excluded.webhooks_enabled,
        debug_log_retention_days = excluded.debug_log_retention_days,
        version_control_enabled = excluded.version_control_enabled,
        platform_managed_llm_enabled = excluded.platform_managed_llm_enabled,
        byok_llm_enabled = excluded.byok_llm_enabled,
        byok_supported_providers = excluded.byok_supported_providers,
        byok_basic_only = excluded.byok_basic_only,
        byok_policies_enabled = excluded.byok_policies_enabled,
        byok_team_keys_enabled = excluded.byok_team_keys_enabled,
        custom_integrations_limit = excluded.custom_integrations_limit,
        team_members_limit = excluded.team_members_limit, rbac_enabled = excluded.rbac_enabled,
        shared_workspaces_enabled = excluded.shared_workspaces_enabled,
        audit_logs_enabled = excluded.audit_logs_enabled,
        resource_quotas_enabled = excluded.resource_quotas_enabled,
        hipaa_mode_enabled = excluded.hipaa_mode_enabled,
        soc2_evidence_enabled = excluded.soc2_evidence_enabled, sso_enabled = excluded.sso_enabled,
        data_residency_enabled = excluded.data_residency_enabled,
        on_premise_enabled = excluded.on_premise_enabled, support_channel = excluded.support_channel,
        first_response_hours = excluded.first_response_hours,
        account_manager_enabled = excluded.account_manager_enabled,
        key_management_calls_per_minute = excluded.key_management_calls_per_minute");
}
