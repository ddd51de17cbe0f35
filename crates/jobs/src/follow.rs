use crate::Stop;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use topdog_domain::directory::Directory;
use topdog_domain::ports::{ChangeFeed, Clock, PortError, Tiers};
use topdog_domain::{OrgId, Timestamp};

/// How long a change may go unnoticed that rings no bell here: one that another node made, where its bell is not heard.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long an answer may take: a database whose machine is gone never gives one.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same, of all organisations at once.
const PATIENCE_FOR_ALL: Duration = Duration::from_secs(120);

async fn in_time<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let silence = || PortError::Unavailable("no answer of the database".into());
    timeout(patience, answer).await.unwrap_or_else(|_| Err(silence()))
}

/// What following changes needs.
pub struct Following {
    /// Where changes are announced.
    pub feed: Arc<dyn ChangeFeed>,
    /// The tiers.
    pub tiers: Arc<dyn Tiers>,
    /// What is kept up to date.
    pub directory: Arc<Directory>,
    /// Rung when this node has changed something, or has heard that another has.
    pub doorbell: Arc<Notify>,
    /// For how long the directory passes for the present state after all changes were known to be in it.
    pub current_for: Duration,
    /// Called when the directory has the organisation's new state: the vault forgets its plaintext.
    pub on_change: Box<dyn Fn(OrgId) + Send + Sync>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// When the directory was last known to be up to date.
#[derive(Debug, Clone)]
pub struct Freshness(Arc<AtomicI64>);

impl Freshness {
    /// The last time that all changes until then were in the directory.
    #[must_use]
    pub fn last_ok(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Acquire))
    }

    /// How many seconds ago that was.
    #[must_use]
    pub fn age_seconds(&self, now: Timestamp) -> u64 {
        self.last_ok().seconds_until(now)
    }
}

/// Brings changes of tenants and tiers into the node's directory. Where the database is away, what is known
/// stays: requests of known keys go on.
pub struct Follower {
    parts: Following,
    /// Everything up to there is in the directory.
    seq: i64,
    freshness: Freshness,
    /// By a clock that nobody sets, when that was.
    looked_at: Instant,
}

impl Follower {
    /// Fills the directory, and is ready to follow from there.
    ///
    /// # Errors
    /// Where the tenants or tiers can't be read.
    pub async fn load(parts: Following) -> Result<Self, PortError> {
        let (now, looked_at) = (parts.clock.now(), Instant::now());
        // First the place, then what is there: what changes between the two is read once more.
        let seq = parts.feed.newest_change().await?;
        parts.directory.reload_all(&*parts.feed, &*parts.tiers).await?;
        let freshness = Freshness(Arc::new(AtomicI64::new(now.micros())));
        let follower = Self { parts, seq, freshness, looked_at };
        follower.confirm(now);
        Ok(follower)
    }

    /// How up to date the directory is.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.freshness.clone()
    }

    /// Follows changes until it is told to stop.
    pub async fn follow(mut self, stop: Stop) {
        stop.cuts_off(self.follow_for_ever()).await;
    }

    async fn follow_for_ever(&mut self) -> Infallible {
        let doorbell = self.parts.doorbell.clone();
        let mut is_failing = false;
        loop {
            // Listening from before the look, or a ring between the look and the wait would be missed.
            let mut rung = pin!(doorbell.notified());
            rung.as_mut().enable();
            match self.look().await {
                Ok(()) => is_failing = false,
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(%error, "changes can't be read, what is known stays in force");
                    }
                    is_failing = true;
                    if self.looked_at.elapsed() > self.parts.current_for {
                        self.parts.directory.doubt();
                    }
                }
            }
            tokio::select! {
                () = rung => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Takes over all changes there are; those that could not be read are looked at again.
    async fn look(&mut self) -> Result<(), PortError> {
        let (now, looked_at) = (self.parts.clock.now(), Instant::now());
        // The feed's order is the order of the commits, so nothing ever appears before `seq`.
        let changes = in_time(PATIENCE, self.parts.feed.changes_since(self.seq)).await?;
        if let Some(last) = changes.last() {
            let orgs: BTreeSet<OrgId> = changes.iter().filter_map(|change| change.org).collect();
            let is_tier_changed = changes.iter().any(|change| change.org.is_none());
            self.reload(&orgs, is_tier_changed).await?;
            self.seq = last.seq;
        } else {
            let newest = in_time(PATIENCE, self.parts.feed.newest_change()).await?;
            if newest < self.seq {
                self.begin_again(newest).await?;
            }
        }
        self.looked_at = looked_at;
        self.freshness.0.store(now.micros(), Ordering::Release);
        self.confirm(now);
        Ok(())
    }

    /// The database is behind what this node has seen: another has taken its place, or an older copy. What it counts
    /// from there would be passed over, so nothing that is known is taken for true any more.
    async fn begin_again(&mut self, newest: i64) -> Result<(), PortError> {
        tracing::warn!(seen = self.seq, newest, "the database has gone back, all of it is read again");
        let Following { feed, tiers, directory, on_change, .. } = &self.parts;
        directory.doubt();
        let known = directory.snapshot().orgs().map(|org| org.facts.organisation.id).collect::<Vec<OrgId>>();
        in_time(PATIENCE_FOR_ALL, directory.reload_all(&**feed, &**tiers)).await?;
        known.into_iter().for_each(on_change);
        self.seq = newest;
        Ok(())
    }

    /// A node that is paused finds the time over when it goes on, before it has looked again.
    fn confirm(&self, now: Timestamp) {
        let seconds = i64::try_from(self.parts.current_for.as_secs()).unwrap_or(i64::MAX);
        self.parts.directory.confirm_until(now.plus_seconds(seconds));
    }

    async fn reload(&self, orgs: &BTreeSet<OrgId>, is_tier_changed: bool) -> Result<(), PortError> {
        let Following { feed, tiers, directory, on_change, .. } = &self.parts;
        if is_tier_changed {
            in_time(PATIENCE_FOR_ALL, directory.reload_all(&**feed, &**tiers)).await?;
        }
        for org in orgs {
            if !is_tier_changed {
                in_time(PATIENCE, directory.reload_org(&**feed, *org)).await?;
            }
            on_change(*org);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
