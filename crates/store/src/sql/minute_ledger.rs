//! The ledger of limits by the minute: one row a meter, which holds the newest minute that was counted in.

use super::Store;
use super::columns::{count, unsigned};
use super::engine::{on_engine, statements};
use async_trait::async_trait;
use topdog_domain::ports::{MinuteLedger, PortError};
use topdog_domain::quota::{CLOCK_AHEAD_SECONDS, Exhausted, MeterKey, NotTaken};
use topdog_domain::{Timestamp, UtcMinute};

#[async_trait]
impl MinuteLedger for Store {
    async fn minute_take(&self, meter: &MeterKey, limit: u64, now: Timestamp) -> Result<(), NotTaken> {
        // Who asks at an exhausted limit writes nothing and waits for nobody.
        self.require_unit(meter, limit, now).await?;
        if self.counted(meter, limit, now).await.map_err(NotTaken::Unavailable)? {
            return Ok(());
        }
        // Others have taken the last ones meanwhile.
        self.require_unit(meter, limit, now).await?;
        Err(exhausted(limit, limit, now.minute()))
    }

    async fn minute_prune(&self, now: Timestamp) -> Result<u64, PortError> {
        on_engine!(self.pools().writer(), |db| sqlx::query(PRUNE)
            .bind(now.plus_seconds(-KEPT_SECONDS).minute().number())
            .bind(now.plus_seconds(KEPT_SECONDS).minute().number())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))
    }
}

const KEPT_SECONDS: i64 = 3_600;

impl Store {
    /// Refuses where the limit is reached by now.
    async fn require_unit(&self, meter: &MeterKey, limit: u64, now: Timestamp) -> Result<(), NotTaken> {
        let found = self.newest_minute(meter).await.map_err(NotTaken::Unavailable)?;
        match found {
            Some((minute, used)) if minute >= now.minute() && used >= limit => {
                let is_wrong = minute > furthest(now);
                if is_wrong {
                    self.set_back(meter, now).await.map_err(NotTaken::Unavailable)?;
                }
                Err(exhausted(limit, used, if is_wrong { now.minute() } else { minute }))
            }
            _ => Ok(()),
        }
    }

    async fn newest_minute(&self, meter: &MeterKey) -> Result<Option<(UtcMinute, u64)>, PortError> {
        let org = meter.org.to_string();
        let row: Option<(i64, i64)> = on_engine!(self.pools().readers(), |db| sqlx::query_as(FIND)
            .bind(org)
            .bind(&meter.resource)
            .fetch_optional(db)
            .await)?;
        let Some((minute, used)) = row else { return Ok(None) };
        Ok(Some((UtcMinute::from_number(minute), unsigned("minute_ledger.used", used)?)))
    }

    /// Makes a minute that a wrong clock has left far ahead the minute of `now`, so that it ends.
    async fn set_back(&self, meter: &MeterKey, now: Timestamp) -> Result<(), PortError> {
        let org = meter.org.to_string();
        on_engine!(self.pools().writer(), |db| sqlx::query(SET_BACK)
            .bind(org)
            .bind(&meter.resource)
            .bind(now.minute().number())
            .bind(furthest(now).number())
            .execute(db)
            .await
            .map(|_| ()))
    }

    /// Counts one more, where the limit lets it; was it?
    async fn counted(&self, meter: &MeterKey, limit: u64, now: Timestamp) -> Result<bool, PortError> {
        if limit == 0 {
            return Ok(false);
        }
        let org = meter.org.to_string();
        on_engine!(self.pools().writer(), |db| sqlx::query(TAKE)
            .bind(org)
            .bind(&meter.resource)
            .bind(now.minute().number())
            .bind(count(limit))
            .bind(furthest(now).number())
            .execute(db)
            .await
            .map(|done| done.rows_affected() > 0))
    }
}

fn furthest(now: Timestamp) -> UtcMinute {
    now.plus_seconds(CLOCK_AHEAD_SECONDS).minute()
}

const fn exhausted(limit: u64, used: u64, minute: UtcMinute) -> NotTaken {
    NotTaken::Exhausted(Exhausted { limit, used, resets_at: minute.end() })
}

statements! {
    FIND = "SELECT minute, used FROM minute_ledger WHERE org = $1 AND resource = $2";
    // A new minute begins at one; an old one, of a clock that is behind, goes on counting in the newest. A minute that
    // is too far ahead becomes this one, with its count.
    TAKE = "INSERT INTO minute_ledger (org, resource, minute, used) VALUES ($1, $2, $3, 1)
        ON CONFLICT (org, resource) DO UPDATE SET
            used = CASE WHEN minute_ledger.minute < excluded.minute THEN 1 ELSE minute_ledger.used + 1 END,
            minute = CASE WHEN minute_ledger.minute BETWEEN excluded.minute AND $5 THEN minute_ledger.minute
                ELSE excluded.minute END
        WHERE minute_ledger.minute < excluded.minute OR minute_ledger.used < $4";
    SET_BACK = "UPDATE minute_ledger SET minute = $3 WHERE org = $1 AND resource = $2 AND minute > $4";
    PRUNE = "DELETE FROM minute_ledger WHERE minute < $1 OR minute > $2";
}
