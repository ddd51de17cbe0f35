//! Opened keys, for a short while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache as QuickCache;
use topdog_domain::tenant::ProviderKey;
use topdog_domain::{OrgId, ProviderKeyId, Timestamp};

use crate::seal::Slot;
use crate::secret::SecretText;

/// The most opened keys that a node holds at the same time.
const CAPACITY: usize = 10_000;

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
    expires_at: Timestamp,
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
    opened: QuickCache<CacheKey, Arc<OpenedKey>>,
    /// Moves with every forgetting: what was read before one must not be kept after it.
    forgettings: AtomicU64,
}

/// How many forgettings there were when a read began.
#[derive(Clone, Copy)]
pub(crate) struct ReadBegan(u64);

impl Cache {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, opened: QuickCache::new(CAPACITY), forgettings: AtomicU64::new(0) }
    }

    pub(crate) fn find(&self, key: &ProviderKey, now: Timestamp) -> Option<Arc<OpenedKey>> {
        let place = (key.id, key.version);
        let opened = self.opened.get(&place)?;
        if opened.expires_at <= now {
            self.opened.remove_if(&place, |there| there.expires_at <= now);
            return None;
        }
        opened.fits(key).then_some(opened)
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
        let ttl_micros = i64::try_from(self.ttl.as_micros()).unwrap_or(i64::MAX);
        let place = (slot.provider_key, slot.version);
        let opened = Arc::new(OpenedKey {
            slot,
            secret,
            expires_at: Timestamp::from_micros(now.micros().saturating_add(ttl_micros)),
        });
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
        self.opened.retain(|_, there| there.expires_at > now);
    }
}
