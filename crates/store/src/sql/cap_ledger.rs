//! The ledger of customers' caps: a grant is read, decided and written under the meter's lock, as in the ledger of
//! limits, for amounts and for windows of any length.

use super::Store;
use super::columns::{count, unsigned};
use super::engine::{on_engine, statements};
use super::quota_ledger::in_time;
use async_trait::async_trait;
use topdog_domain::cap_meter::cap_block;
use topdog_domain::ports::{CapLedger, CapUse, PortError};
use topdog_domain::quota::{Lease, MeterKey};
use topdog_domain::time::Window;
use topdog_domain::{OrgId, Timestamp};

#[async_trait]
impl CapLedger for Store {
    async fn cap_lease(
        &self,
        meter: &MeterKey,
        window: Window,
        limit: u64,
        need: u64,
    ) -> Result<Lease, PortError> {
        in_time(async {
            // Who asks at a cap that is reached writes nothing and waits for nobody.
            let granted = self.cap_granted_now(meter, window).await?;
            if cap_block(limit, granted, need) == 0 {
                return Ok(Lease { granted: 0, granted_in_all: granted });
            }
            self.cap_lease_in_turn(meter, window, limit, need).await
        })
        .await
    }

    async fn cap_charge(&self, meter: &MeterKey, window: Window, units: u64) -> Result<(), PortError> {
        let org = meter.org.to_string();
        in_time(async {
            on_engine!(self.pools().writer(), |db| sqlx::query(CHARGE)
                .bind(org)
                .bind(&meter.resource)
                .bind(window.start.micros())
                .bind(window.end.micros())
                .bind(count(units))
                .execute(db)
                .await
                .map(|_| ()))
        })
        .await
    }

    async fn cap_give_back(&self, meter: &MeterKey, window: Window, units: u64) -> Result<(), PortError> {
        let org = meter.org.to_string();
        in_time(async {
            on_engine!(self.pools().writer(), |db| sqlx::query(GIVE_BACK)
                .bind(org)
                .bind(&meter.resource)
                .bind(window.start.micros())
                .bind(count(units))
                .execute(db)
                .await
                .map(|_| ()))
        })
        .await
    }

    async fn cap_granted(&self, org: OrgId, now: Timestamp) -> Result<Vec<CapUse>, PortError> {
        let org = org.to_string();
        let rows: Vec<(String, i64, i64)> = on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST)
            .bind(org)
            .bind(now.micros())
            .fetch_all(db)
            .await)?;
        let used = |(resource, start, granted)| {
            let granted = unsigned("cap_ledger.granted", granted)?;
            Ok(CapUse { resource, start: Timestamp::from_micros(start), granted })
        };
        rows.into_iter().map(used).collect()
    }

    async fn cap_prune(&self, now: Timestamp) -> Result<u64, PortError> {
        on_engine!(self.pools().writer(), |db| sqlx::query(PRUNE)
            .bind(now.plus_seconds(-KEPT_SECONDS).micros())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))
    }
}

/// A node whose clock is behind may still settle in a window that is over.
const KEPT_SECONDS: i64 = 3_600;

impl Store {
    async fn cap_granted_now(&self, meter: &MeterKey, window: Window) -> Result<u64, PortError> {
        let org = meter.org.to_string();
        let granted: Option<i64> = on_engine!(self.pools().readers(), |db| sqlx::query_scalar(FIND)
            .bind(org)
            .bind(&meter.resource)
            .bind(window.start.micros())
            .fetch_optional(db)
            .await)?;
        unsigned("cap_ledger.granted", granted.unwrap_or(0))
    }

    async fn cap_lease_in_turn(
        &self,
        meter: &MeterKey,
        window: Window,
        limit: u64,
        need: u64,
    ) -> Result<Lease, PortError> {
        let org = meter.org.to_string();
        let mut tx = self.pools().begin().await?;
        let granted: i64 = on_engine!(tx.conn(), |db| sqlx::query_scalar(LOCK)
            .bind(&org)
            .bind(&meter.resource)
            .bind(window.start.micros())
            .bind(window.end.micros())
            .fetch_one(db)
            .await)?;
        let granted: u64 = unsigned("cap_ledger.granted", granted)?;
        let units = cap_block(limit, granted, need);
        if units == 0 {
            tx.roll_back().await?;
            return Ok(Lease { granted: 0, granted_in_all: granted });
        }
        on_engine!(tx.conn(), |db| sqlx::query(GRANT)
            .bind(&org)
            .bind(&meter.resource)
            .bind(window.start.micros())
            .bind(count(units))
            .execute(db)
            .await
            .map(|_| ()))?;
        tx.commit().await?;
        Ok(Lease { granted: units, granted_in_all: granted.saturating_add(units) })
    }
}

statements! {
    FIND = "SELECT granted FROM cap_ledger WHERE org = $1 AND resource = $2 AND window_start = $3";
    LIST = "SELECT resource, window_start, granted FROM cap_ledger WHERE org = $1 AND window_end > $2
        ORDER BY resource, window_start";
    // Writes nothing new to a row that is there, but holds it until the commit.
    LOCK = "INSERT INTO cap_ledger (org, resource, window_start, window_end, granted) VALUES ($1, $2, $3, $4, 0)
        ON CONFLICT (org, resource, window_start) DO UPDATE SET granted = cap_ledger.granted RETURNING granted";
    GRANT = "UPDATE cap_ledger SET granted = granted + $4 WHERE org = $1 AND resource = $2 AND window_start = $3";
    CHARGE = "INSERT INTO cap_ledger (org, resource, window_start, window_end, granted) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (org, resource, window_start) DO UPDATE SET granted = cap_ledger.granted + excluded.granted";
    GIVE_BACK = "UPDATE cap_ledger SET granted = CASE WHEN granted > $4 THEN granted - $4 ELSE 0 END
        WHERE org = $1 AND resource = $2 AND window_start = $3";
    PRUNE = "DELETE FROM cap_ledger WHERE window_end <= $1";
}
