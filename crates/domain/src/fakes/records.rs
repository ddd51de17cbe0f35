use super::MemoryStore;
use super::pages::page;
use crate::audit::{AuditEntry, ChainHash};
use crate::ports::{
    Batch, DebugLogRow, Page, PageWish, PortError, RecordReader, RecordSink, UsageRow, UsageSum,
};
use crate::usage::{Outcome, RequestRecord, UsageSource};
use crate::{OrgId, Timestamp};
use async_trait::async_trait;
use std::collections::BTreeMap;

#[async_trait]
impl RecordSink for MemoryStore {
    async fn ship(&self, batch: &Batch) -> Result<(), PortError> {
        let mut state = self.state()?;
        for record in &batch.requests {
            state.debug_logs.entry(record.id).or_insert_with(|| record.clone());
            // What was refused used nothing.
            if record.outcome != Outcome::Refused {
                state.usage.entry(record.id).or_insert_with(|| record.clone());
            }
        }
        let key_uses = batch.requests.iter().filter_map(RequestRecord::key_use_audit);
        let mut audits: Vec<_> = batch.audits.iter().cloned().chain(key_uses).collect();
        audits.sort_by_key(|draft| draft.at);
        for draft in &audits {
            state.append_audit(draft);
        }
        Ok(())
    }

    async fn debug_log_prune(&self, org: OrgId, before: Timestamp) -> Result<u64, PortError> {
        Ok(self.state()?.delete_debug_logs(|record| record.org == org && record.at < before))
    }

    async fn debug_log_prune_ownerless(&self) -> Result<u64, PortError> {
        let mut state = self.state()?;
        let destroyed = state.destroyed.clone();
        Ok(state.delete_debug_logs(|record| destroyed.contains(&record.org)))
    }
}

#[async_trait]
impl RecordReader for MemoryStore {
    async fn usage_sum(
        &self,
        org: OrgId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<UsageSum>, PortError> {
        let state = self.state()?;
        let mut sums = BTreeMap::new();
        for record in state.usage.values() {
            if record.org == org && record.is_counted && from <= record.at && record.at < to {
                let place = (record.provider.to_string(), record.model.to_string());
                add(sums.entry(place).or_insert_with_key(no_usage), record);
            }
        }
        Ok(sums.into_values().collect())
    }

    async fn usage_list(&self, org: OrgId, wish: &PageWish) -> Result<Page<UsageRow>, PortError> {
        let state = self.state()?;
        let of_org = state.usage.iter().rev().filter(|(_, record)| record.org == org);
        page(
            of_org.map(|(id, record)| (*id, UsageRow { id: *id, record: record.clone() })),
            wish,
            |id, after| id < after,
        )
    }

    async fn debug_log_list(&self, org: OrgId, wish: &PageWish) -> Result<Page<DebugLogRow>, PortError> {
        let state = self.state()?;
        let of_org = state.debug_logs.iter().rev().filter(|(_, record)| record.org == org);
        page(
            of_org.map(|(id, record)| (*id, DebugLogRow { id: *id, record: record.clone() })),
            wish,
            |id, after| id < after,
        )
    }

    async fn audit_list(&self, org: OrgId, after: u64, limit: u32) -> Result<Vec<AuditEntry>, PortError> {
        let state = self.state()?;
        let behind = state.chain(org).iter().filter(|entry| entry.seq > after);
        Ok(behind.take(limit as usize).cloned().collect())
    }

    async fn audit_chain_list(&self, wish: &PageWish) -> Result<Page<OrgId>, PortError> {
        let state = self.state()?;
        page(state.chains().map(|org| (org, org)), wish, |id, after| id > after)
    }

    async fn audit_head(&self, org: OrgId) -> Result<(u64, ChainHash), PortError> {
        Ok(self.state()?.audit_head(org))
    }
}

fn no_usage((provider, model): &(String, String)) -> UsageSum {
    UsageSum {
        provider: provider.clone(),
        model: model.clone(),
        requests: 0,
        estimated_requests: 0,
        input: 0,
        cache_read: 0,
        cache_write: 0,
        output: 0,
        reasoning: 0,
        cost_nanodollars: 0,
        unpriced_requests: 0,
    }
}

fn add(sum: &mut UsageSum, record: &RequestRecord) {
    let tokens = &record.tokens;
    sum.requests += 1;
    sum.estimated_requests += u64::from(record.source == UsageSource::Estimated);
    sum.input += tokens.input;
    sum.cache_read += tokens.cache_read;
    sum.cache_write += tokens.cache_write_5m + tokens.cache_write_1h;
    sum.output += tokens.output;
    sum.reasoning += tokens.reasoning;
    sum.cost_nanodollars += record.cost_nanodollars.unwrap_or_default();
    sum.unpriced_requests += u64::from(record.cost_nanodollars.is_none());
}
