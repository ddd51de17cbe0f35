use crate::Stop;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use topdog_domain::OrgId;
use topdog_domain::directory::Directory;
use topdog_domain::ports::{CapLedger, Clock, Idempotency, MinuteLedger, RecordSink};
use topdog_domain::tier::Limit;

const RUN_EVERY: Duration = Duration::from_secs(60 * 60);
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// How long an answer to a create can be repeated.
const IDEMPOTENCY_SECONDS: i64 = DAY_SECONDS;

/// What retention needs.
pub struct Retention {
    /// Which organisations there are, and how long their tiers keep debug logs.
    pub directory: Arc<Directory>,
    /// Where debug logs are.
    pub sink: Arc<dyn RecordSink>,
    /// Where answers to creates are.
    pub idempotency: Arc<dyn Idempotency>,
    /// Where calls are counted by the minute.
    pub minutes: Arc<dyn MinuteLedger>,
    /// Where customers' caps are counted.
    pub caps: Arc<dyn CapLedger>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Deletes what is kept no longer, at the start and each hour: debug logs by their tier, answers to creates after
/// a day, counts of minutes and of caps' windows that are over.
pub async fn retain(parts: Retention, stop: Stop) {
    stop.cuts_off(retain_for_ever(&parts)).await;
}

async fn retain_for_ever(parts: &Retention) -> Infallible {
    loop {
        prune_debug_logs(parts).await;
        prune_ownerless(parts).await;
        prune_idempotency(parts).await;
        prune_minutes(parts).await;
        prune_caps(parts).await;
        forget_answers(parts);
        sleep(RUN_EVERY).await;
    }
}

async fn prune_debug_logs(parts: &Retention) {
    let retentions: Vec<(OrgId, Limit)> = parts
        .directory
        .snapshot()
        .orgs()
        .map(|org| (org.facts.organisation.id, org.tier.debug_log_retention_days))
        .collect();
    for (org, days) in retentions {
        let Limit::Of(days) = days else { continue };
        let seconds = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(DAY_SECONDS);
        let before = parts.clock.now().plus_seconds(-seconds);
        match parts.sink.debug_log_prune(org, before).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(%org, deleted, %before, "old debug logs are deleted"),
            // One organisation's trouble is not another's.
            Err(error) => {
                tracing::warn!(%org, %error, "old debug logs can't be deleted, tried again in an hour")
            }
        }
    }
}

/// A node's last records of an organisation may come after the organisation's end.
async fn prune_ownerless(parts: &Retention) {
    match parts.sink.debug_log_prune_ownerless().await {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(deleted, "debug logs of destroyed organisations are deleted"),
        Err(error) => {
            tracing::warn!(%error, "debug logs of destroyed organisations can't be deleted, tried again in an hour");
        }
    }
}

async fn prune_idempotency(parts: &Retention) {
    let before = parts.clock.now().plus_seconds(-IDEMPOTENCY_SECONDS);
    if let Err(error) = parts.idempotency.idempotency_prune(before).await {
        tracing::warn!(%error, "old idempotency keys can't be deleted, tried again in an hour");
    }
}

async fn prune_minutes(parts: &Retention) {
    if let Err(error) = parts.minutes.minute_prune(parts.clock.now()).await {
        tracing::warn!(%error, "counts of past minutes can't be deleted, tried again in an hour");
    }
}

/// An answer that nobody asks for again would take up memory for ever.
fn forget_answers(parts: &Retention) {
    let now = parts.clock.now();
    parts.directory.snapshot().orgs().for_each(|org| org.cache.forget_expired(now));
}

async fn prune_caps(parts: &Retention) {
    if let Err(error) = parts.caps.cap_prune(parts.clock.now()).await {
        tracing::warn!(%error, "counts of caps that are over can't be deleted, tried again in an hour");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stopper;
    use topdog_domain::Timestamp;
    use topdog_domain::entitlement::Resource;
    use topdog_domain::fakes::{FakeClock, MemoryLedger, MemoryStore, samples};
    use topdog_domain::ports::{
        Batch, ChangeFeed, IdempotencyClaim, Organisations, PageWish, RecordReader, Remembered, Tiers,
    };
    use topdog_domain::quota::MeterKey;
    use topdog_domain::tier::TierCatalogue;

    struct Bed {
        store: Arc<MemoryStore>,
        directory: Arc<Directory>,
        minutes: Arc<MemoryLedger>,
        clock: Arc<FakeClock>,
    }

    impl Bed {
        fn new() -> Self {
            let tiers = TierCatalogue::new([]);
            Self {
                store: Arc::new(MemoryStore::new()),
                directory: Arc::new(Directory::new(tiers)),
                minutes: Arc::new(MemoryLedger::new()),
                clock: Arc::new(FakeClock::at(samples::NEW_YEAR)),
            }
        }

        async fn organisation(&self, tier: &str) -> OrgId {
            let new = samples::organisation(tier, tier);
            let org = new.organisation.id;
            self.store.organisation_create(&new, &samples::audit(org, "organisation.create")).await.unwrap();
            let feed: &dyn ChangeFeed = &*self.store;
            let tiers: &dyn Tiers = &*self.store;
            self.directory.reload_all(feed, tiers).await.unwrap();
            org
        }

        async fn log(&self, org: OrgId, at: Timestamp) {
            let requests = vec![samples::request_record(org, at)];
            self.store.ship(&Batch { requests, audits: Vec::new() }).await.unwrap();
        }

        async fn logs(&self, org: OrgId) -> usize {
            self.store.debug_log_list(org, &PageWish { after: None, limit: 99 }).await.unwrap().rows.len()
        }

        fn start(&self) -> Stopper {
            let (stopper, stop) = Stopper::new();
            let parts = Retention {
                directory: self.directory.clone(),
                sink: self.store.clone(),
                idempotency: self.store.clone(),
                minutes: self.minutes.clone(),
                caps: self.minutes.clone(),
                clock: self.clock.clone(),
            };
            tokio::spawn(retain(parts, stop));
            stopper
        }
    }

    #[tokio::test(start_paused = true)]
    async fn debug_logs_are_kept_as_long_as_the_tier_says() {
        let bed = Bed::new();
        for (tier, days) in [("FREE", 7), ("PRO", 30), ("PRO-PLUS", 60), ("TEAMS-SMALL", 90)] {
            let org = bed.organisation(tier).await;
            let end = samples::NEW_YEAR.plus_seconds(-days * DAY_SECONDS);
            bed.log(org, end).await;
            bed.log(org, end.plus_seconds(-1)).await;
        }
        let for_ever = bed.organisation("ENTERPRISE-STANDARD").await;
        bed.log(for_ever, Timestamp::from_micros(0)).await;

        let _stopper = bed.start();
        sleep(Duration::from_millis(1)).await;
        let orgs: Vec<OrgId> = bed.directory.snapshot().orgs().map(|org| org.facts.organisation.id).collect();
        for org in orgs {
            assert_eq!(bed.logs(org).await, 1);
        }
        // An hour later those go that are an hour older.
        bed.clock.advance_seconds(3_600);
        sleep(RUN_EVERY).await;
        let mut left = 0;
        for org in bed.store.load_all().await.unwrap() {
            left += bed.logs(org.organisation.id).await;
        }
        assert_eq!((left, bed.logs(for_ever).await), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn debug_logs_that_come_after_their_organisations_end_are_deleted() {
        let bed = Bed::new();
        let (org, other) = (bed.organisation("ENTERPRISE-STANDARD").await, bed.organisation("PRO").await);
        bed.store.organisation_destroy(org, &samples::audit(org, "organisation.destroy")).await.unwrap();
        for org in [org, other] {
            bed.log(org, samples::NEW_YEAR).await;
        }
        let _stopper = bed.start();
        sleep(Duration::from_millis(1)).await;
        assert_eq!((bed.logs(org).await, bed.logs(other).await), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn answers_to_creates_are_forgotten_after_a_day() {
        let bed = Bed::new();
        let claim = |at| IdempotencyClaim { caller: "a", key: "k", at };
        bed.store.idempotency_begin(claim(samples::NEW_YEAR), [0; 32]).await.unwrap();
        bed.store.idempotency_finish(claim(samples::NEW_YEAR), 201, b"made").await.unwrap();
        let _stopper = bed.start();
        bed.clock.advance_seconds(IDEMPOTENCY_SECONDS);
        sleep(RUN_EVERY).await;
        let again = || bed.store.idempotency_begin(claim(bed.clock.now()), [0; 32]);
        assert!(matches!(again().await.unwrap(), Remembered::Done { .. }));
        bed.clock.advance_seconds(1);
        sleep(RUN_EVERY).await;
        assert_eq!(again().await.unwrap(), Remembered::Fresh);
    }

    #[tokio::test(start_paused = true)]
    async fn counts_of_past_minutes_are_deleted() {
        let bed = Bed::new();
        let meter = MeterKey::of(OrgId::new(), Resource::KeyManagementCallsPerMinute);
        bed.minutes.minute_take(&meter, 1, samples::NEW_YEAR).await.unwrap();
        let _stopper = bed.start();
        bed.clock.advance_seconds(3_660);
        sleep(RUN_EVERY).await;
        // It would still hold a clock up that is set back.
        assert!(bed.minutes.minute_take(&meter, 1, samples::NEW_YEAR).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn caps_windows_that_are_over_are_deleted() {
        let bed = Bed::new();
        let meter = MeterKey { org: OrgId::new(), resource: "organisation:requests_per_minute".to_owned() };
        let minute = samples::NEW_YEAR.minute().window();
        bed.minutes.cap_lease(&meter, minute, 1, 1).await.unwrap();
        let _stopper = bed.start();
        bed.clock.advance_seconds(3_720);
        sleep(RUN_EVERY).await;
        assert_eq!(bed.minutes.cap_lease(&meter, minute, 1, 1).await.unwrap().granted, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_asked_again() {
        let bed = Bed::new();
        let org = bed.organisation("FREE").await;
        bed.log(org, Timestamp::from_micros(0)).await;
        bed.store.set_away(true);
        let _stopper = bed.start();
        sleep(Duration::from_secs(60)).await;
        bed.store.set_away(false);
        assert_eq!(bed.logs(org).await, 1);
        sleep(RUN_EVERY).await;
        assert_eq!(bed.logs(org).await, 0);
    }
}
