//! The ledger of daily limits: a grant is read, decided and written under the meter's lock.

use super::Store;
use super::columns::{count, unsigned};
use super::engine::{on_engine, statements};
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::timeout;
use topdog_domain::ports::{MeterUse, PortError, QuotaLedger};
use topdog_domain::quota::{Lease, MeterKey, block_size};
use topdog_domain::{OrgId, UtcDay};

#[async_trait]
impl QuotaLedger for Store {
    async fn lease(&self, meter: &MeterKey, day: UtcDay, limit: u64, held: u64) -> Result<Lease, PortError> {
        in_time(async {
            // Who asks at an exhausted limit writes nothing and waits for nobody.
            let granted = self.granted_now(meter, day).await?;
            if granted >= limit {
                return Ok(refused(granted));
            }
            self.lease_in_turn(meter, day, limit, held).await
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

async fn in_time<T>(answer: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
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

    async fn lease_in_turn(
        &self,
        meter: &MeterKey,
        day: UtcDay,
        limit: u64,
        held: u64,
    ) -> Result<Lease, PortError> {
        let org = meter.org.to_string();
        let mut tx = self.pools().begin().await?;
        let granted: i64 = on_engine!(tx.conn(), |db| sqlx::query_scalar(LOCK)
            .bind(&org)
            .bind(day.number())
            .bind(&meter.resource)
            .fetch_one(db)
            .await)?;
        let granted: u64 = unsigned("quota_ledger.granted", granted)?;
        let units = block_size(limit, granted, held);
        if units == 0 {
            tx.roll_back().await?;
            return Ok(refused(granted));
        }
        on_engine!(tx.conn(), |db| sqlx::query(GRANT)
            .bind(&org)
            .bind(day.number())
            .bind(&meter.resource)
            .bind(count(units))
            .execute(db)
            .await
            .map(|_| ()))?;
        tx.commit().await?;
        Ok(Lease { granted: units, granted_in_all: granted.saturating_add(units) })
    }
}

const fn refused(granted_in_all: u64) -> Lease {
    Lease { granted: 0, granted_in_all }
}

statements! {
    FIND = "SELECT granted FROM quota_ledger WHERE org = $1 AND day = $2 AND resource = $3";
    LIST = "SELECT resource, granted FROM quota_ledger WHERE org = $1 AND day = $2 ORDER BY resource";
    // Writes nothing new to a row that is there, but holds it until the commit.
    LOCK = "INSERT INTO quota_ledger (org, day, resource, granted) VALUES ($1, $2, $3, 0)
        ON CONFLICT (org, day, resource) DO UPDATE SET granted = quota_ledger.granted RETURNING granted";
    GRANT = "UPDATE quota_ledger SET granted = granted + $4 WHERE org = $1 AND day = $2 AND resource = $3";
    GIVE_BACK = "UPDATE quota_ledger SET granted = CASE WHEN granted > $4 THEN granted - $4 ELSE 0 END
        WHERE org = $1 AND day = $2 AND resource = $3";
}
