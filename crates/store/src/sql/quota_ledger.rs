//! The ledger of daily limits: a grant is read and decided, and one statement writes it where it is still right.
//!
//! No node ever holds a meter's lock while it thinks: one that is paused, or whose network is gone, would hold up the
//! organisation's requests on every other node for as long.

use super::Store;
use super::columns::{count, unsigned};
use super::engine::{on_engine, statements};
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::timeout;
use topdog_domain::ports::{MeterUse, PortError, QuotaLedger};
use topdog_domain::quota::{Lease, MeterKey, block_size, granted_at_most};
use topdog_domain::{OrgId, UtcDay};

#[async_trait]
impl QuotaLedger for Store {
    async fn lease(&self, meter: &MeterKey, day: UtcDay, limit: u64, held: u64) -> Result<Lease, PortError> {
        in_time(async {
            let mut attempts = 0;
            loop {
                let seen = self.granted_now(meter, day).await?;
                let block = block_size(limit, seen, held);
                if block == 0 {
                    // Who asks at an exhausted limit writes nothing and waits for nobody.
                    return Ok(Lease { granted: 0, granted_in_all: seen });
                }
                // Whom others forestalled twice takes a single unit, which nobody forestalls while there is one.
                let units = if attempts < 2 { block } else { 1 };
                let latest = granted_at_most(limit, units, held);
                if let Some(granted_in_all) = self.grant(meter, day, units, latest).await? {
                    return Ok(Lease { granted: units, granted_in_all });
                }
                // Others were granted so much meanwhile that the block is now a smaller one.
                attempts += 1;
            }
        })
        .await
    }

    async fn give_back(&self, meter: &MeterKey, day: UtcDay, units: u64) -> Result<(), PortError> {
        let org = meter.org.to_string();
        in_time(async {
            on_engine!(self.pools().writer(), |db| sqlx::query(GIVE_BACK)
                .bind(org)
                .bind(day.number())
                .bind(&meter.resource)
                .bind(count(units))
                .execute(db)
                .await
                .map(|_| ()))
        })
        .await
    }

    async fn recall(&self, org: OrgId) -> Result<(), PortError> {
        in_time(self.ring_recall(org)).await
    }

    async fn granted(&self, org: OrgId, day: UtcDay) -> Result<Vec<MeterUse>, PortError> {
        let org = org.to_string();
        let rows: Vec<(String, i64)> = on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST)
            .bind(org)
            .bind(day.number())
            .fetch_all(db)
            .await)?;
        let meter = |(resource, granted)| {
            let granted = unsigned("quota_ledger.granted", granted)?;
            Ok(MeterUse { resource, granted })
        };
        rows.into_iter().map(meter).collect()
    }
}

/// How long an answer may take: a database whose machine is gone never gives one.
const PATIENCE: Duration = Duration::from_secs(2);

/// The answer, or that there is none in time.
pub(super) async fn in_time<T>(answer: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| {
        let silence = format!("no answer of the ledger within {} s", PATIENCE.as_secs());
        Err(PortError::Unavailable(silence.into()))
    })
}

impl Store {
    async fn granted_now(&self, meter: &MeterKey, day: UtcDay) -> Result<u64, PortError> {
        let org = meter.org.to_string();
        let granted: Option<i64> = on_engine!(self.pools().readers(), |db| sqlx::query_scalar(FIND)
            .bind(org)
            .bind(day.number())
            .bind(&meter.resource)
            .fetch_optional(db)
            .await)?;
        unsigned("quota_ledger.granted", granted.unwrap_or(0))
    }

    /// Grants a block where no more than `latest` units are granted; none where there are more.
    async fn grant(
        &self,
        meter: &MeterKey,
        day: UtcDay,
        units: u64,
        latest: u64,
    ) -> Result<Option<u64>, PortError> {
        let org = meter.org.to_string();
        let granted: Option<i64> = on_engine!(self.pools().writer(), |db| sqlx::query_scalar(GRANT)
            .bind(org)
            .bind(day.number())
            .bind(&meter.resource)
            .bind(count(units))
            .bind(count(latest))
            .fetch_optional(db)
            .await)?;
        granted.map(|granted| unsigned("quota_ledger.granted", granted)).transpose()
    }
}

statements! {
    FIND = "SELECT granted FROM quota_ledger WHERE org = $1 AND day = $2 AND resource = $3";
    LIST = "SELECT resource, granted FROM quota_ledger WHERE org = $1 AND day = $2 ORDER BY resource";
    // A first grant is of a block that is right where nothing is granted, which a missing row says.
    GRANT = "INSERT INTO quota_ledger (org, day, resource, granted) VALUES ($1, $2, $3, $4)
        ON CONFLICT (org, day, resource) DO UPDATE SET granted = quota_ledger.granted + excluded.granted
            WHERE quota_ledger.granted <= $5
        RETURNING granted";
    GIVE_BACK = "UPDATE quota_ledger SET granted = CASE WHEN granted > $4 THEN granted - $4 ELSE 0 END
        WHERE org = $1 AND day = $2 AND resource = $3";
}
