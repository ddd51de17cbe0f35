//! Opened keys: fresh for a short while, and for longer where what they come from can't be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache as QuickCache;
use topdog_domain::tenant::ProviderKey;
use topdog_domain::{OrgId, ProviderKeyId, Timestamp};

use crate::seal::Slot;
use crate::secret::SecretText;

/// The most opened keys that a node holds at the same time.
const CAPACITY: usize = 10_000;
/// How long a lapsed key serves after its source could not be asked, until the next request tries again.
const RETRY_AFTER_US: i64 = 5_000_000;
/// Nothing says that the source can't be asked.
const NEVER: i64 = i64::MIN;

/// A provider key in the clear, for its own origin and a short while.
///
/// It can't be shown, copied or serialised:
/// ```compile_fail
/// fn show(key: topdog_vault::OpenedKey) { println!("{key:?}"); }
/// ```
/// ```compile_fail
/// fn copy(key: &topdog_vault::OpenedKey) -> topdog_vault::OpenedKey { key.clone() }
/// ```
/// ```compile_fail
/// fn write(key: &topdog_vault::OpenedKey) { serde_json::to_string(key); }
/// ```
pub struct OpenedKey {
    slot: Slot,
    secret: SecretText,
    /// Until when it is used unasked.
    fresh_until: Timestamp,
    /// Until when it may stand in for one that can't be opened.
    usable_until: Timestamp,
    /// Its source could not be asked and is not to be asked again before; microseconds.
    retry_at: AtomicI64,
}

impl OpenedKey {
    /// Which version of the provider key this is.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.slot.version
    }

    /// The only origin that it may be sent to.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.slot.origin
    }

    /// The plaintext. Only the forwarding step may read one.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.secret.expose()
    }

    /// Was its time up already when its source could not be asked? Then nobody should wait for the source again.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.retry_at.load(Ordering::Acquire) != NEVER
    }

    /// Notes that its source can't be asked, and leaves it in peace for a while.
    pub(crate) fn cut_off(&self, now: Timestamp) {
        self.retry_at.store(now.micros().saturating_add(RETRY_AFTER_US), Ordering::Release);
    }

    /// May it be used though its time is up? Where its source could not be asked, all may but the one whose turn it
    /// is to try again.
    fn serves_lapsed(&self, now: Timestamp) -> bool {
        let retry_at = self.retry_at.load(Ordering::Acquire);
        if retry_at == NEVER || now >= self.usable_until {
            return false;
        }
        let next = now.micros().saturating_add(RETRY_AFTER_US);
        now.micros() < retry_at
            || self.retry_at.compare_exchange(retry_at, next, Ordering::AcqRel, Ordering::Acquire).is_err()
    }

    /// Is this what that key says it is, whatever it was opened for?
    pub(crate) fn fits(&self, key: &ProviderKey) -> bool {
        let slot = &self.slot;
        slot.version == key.version
            && slot.provider_key == key.id
            && slot.org == key.org
            && slot.origin == key.origin
            && slot.provider == key.provider
    }
}

pub(crate) type CacheKey = (ProviderKeyId, u32);

pub(crate) struct Cache {
    ttl: Duration,
    /// How long beyond it.
    stale_ttl: Duration,
    opened: QuickCache<CacheKey, Arc<OpenedKey>>,
    /// Moves with every forgetting: what was read before one must not be kept after it.
    forgettings: AtomicU64,
}

/// How many forgettings there were when a read began.
#[derive(Clone, Copy)]
pub(crate) struct ReadBegan(u64);

impl Cache {
    pub(crate) fn new(ttl: Duration, stale_ttl: Duration) -> Self {
        Self { ttl, stale_ttl, opened: QuickCache::new(CAPACITY), forgettings: AtomicU64::new(0) }
    }

    pub(crate) fn find(&self, key: &ProviderKey, now: Timestamp) -> Option<Arc<OpenedKey>> {
        let opened = self.opened.get(&(key.id, key.version))?;
        let may_serve = now < opened.fresh_until || opened.serves_lapsed(now);
        (may_serve && opened.fits(key)).then_some(opened)
    }

    /// The key, where its time is not up.
    pub(crate) fn find_fresh(&self, key: &ProviderKey, now: Timestamp) -> Option<Arc<OpenedKey>> {
        self.find_lapsed(key, now).filter(|opened| now < opened.fresh_until)
    }

    /// What is held of a key, though its time may be up.
    pub(crate) fn find_lapsed(&self, key: &ProviderKey, now: Timestamp) -> Option<Arc<OpenedKey>> {
        let opened = self.opened.get(&(key.id, key.version))?;
        (now < opened.usable_until && opened.fits(key)).then_some(opened)
    }

    /// Drops what is held of a key and lapsed: its source says that it is gone.
    pub(crate) fn drop_lapsed(&self, key: &ProviderKey, now: Timestamp) {
        self.opened.remove_if(&(key.id, key.version), |there| there.fresh_until <= now);
    }

    pub(crate) fn begin_read(&self) -> ReadBegan {
        ReadBegan(self.forgettings.load(Ordering::SeqCst))
    }

    pub(crate) fn keep(
        &self,
        slot: Slot,
        secret: SecretText,
        began: ReadBegan,
        now: Timestamp,
    ) -> Arc<OpenedKey> {
        let fresh_until = after(now, self.ttl);
        self.keep_until(slot, secret, began, (fresh_until, after(fresh_until, self.stale_ttl)))
    }

    /// Keeps what is fresh until the first of the two times, and may be used until the other.
    pub(crate) fn keep_until(
        &self,
        slot: Slot,
        secret: SecretText,
        began: ReadBegan,
        (fresh_until, usable_until): (Timestamp, Timestamp),
    ) -> Arc<OpenedKey> {
        let place = (slot.provider_key, slot.version);
        let opened =
            Arc::new(OpenedKey { slot, secret, fresh_until, usable_until, retry_at: AtomicI64::new(NEVER) });
        self.opened.insert(place, Arc::clone(&opened));
        // Inserted first and asked second, against a forgetting that counts first and removes second: whichever
        // order they meet in, one of the two removes it.
        if self.forgettings.load(Ordering::SeqCst) != began.0 {
            self.opened.remove_if(&place, |there| Arc::ptr_eq(there, &opened));
        }
        opened
    }

    pub(crate) fn forget(&self, is_meant: impl Fn(OrgId, ProviderKeyId) -> bool) {
        self.forgettings.fetch_add(1, Ordering::SeqCst);
        self.opened.retain(|(id, _), there| !is_meant(there.slot.org, *id));
    }

    pub(crate) fn forget_expired(&self, now: Timestamp) {
        self.opened.retain(|_, there| there.usable_until > now);
    }
}

pub(crate) fn after(at: Timestamp, duration: Duration) -> Timestamp {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(at.micros().saturating_add(micros))
}
