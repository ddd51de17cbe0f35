use crate::Stop;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use topdog_domain::ports::{Clock, RewrapCount};
use topdog_vault::{RewrapProgress, Vault};

/// How often to see whether a rotation is under way, and to try again what could not be re-wrapped.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Between two steps of a rotation, so that the database has time for others: 20 steps a second at the most.
const BETWEEN_STEPS: Duration = Duration::from_millis(50);

/// What carrying rotations on needs.
pub struct Rewrapping {
    /// Whose keys are rotated.
    pub vault: Vault,
    /// Rung where a rotation has begun.
    pub begun: Arc<Notify>,
    /// Where what is pending is written down.
    pub pending: Arc<PendingRewraps>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What rotations have still before them, as the worker last saw it.
#[derive(Debug, Default)]
pub struct PendingRewraps {
    under_old_root: AtomicU64,
    under_old_org_key: AtomicU64,
}

impl PendingRewraps {
    /// The counts; 0 before the first look.
    #[must_use]
    pub fn get(&self) -> RewrapCount {
        RewrapCount {
            under_old_root: self.under_old_root.load(Ordering::Relaxed),
            under_old_org_key: self.under_old_org_key.load(Ordering::Relaxed),
        }
    }

    fn set(&self, count: RewrapCount) {
        self.under_old_root.store(count.under_old_root, Ordering::Relaxed);
        self.under_old_org_key.store(count.under_old_org_key, Ordering::Relaxed);
    }
}

/// Carries key rotations on, step by step, and drops the plaintext of keys that nobody asks for any more.
pub async fn rewrap(parts: Rewrapping, stop: Stop) {
    stop.cuts_off(rewrap_for_ever(&parts)).await;
}

async fn rewrap_for_ever(parts: &Rewrapping) -> Infallible {
    let Rewrapping { vault, begun, pending, clock } = parts;
    loop {
        vault.forget_expired(clock.now());
        let has_more = match vault.rewrap_step(clock.now()).await {
            Ok(progress) => {
                report(&progress, pending.get());
                pending.set(progress.pending);
                progress.done > 0 && progress.pending != RewrapCount::default()
            }
            Err(error) => {
                tracing::warn!(%error, "key rotations can't go on, tried again in a minute");
                false
            }
        };
        if has_more {
            sleep(BETWEEN_STEPS).await;
        } else {
            // Rung while a step ran, it is heard here: the bell keeps one ring.
            let _ = timeout(LOOK_EVERY, begun.notified()).await;
        }
    }
}

/// Says when a rotation begins and when it is complete; each step would be noise.
fn report(progress: &RewrapProgress, before: RewrapCount) {
    let is_pending = |count| count != RewrapCount::default();
    let RewrapCount { under_old_root, under_old_org_key } = progress.pending;
    match (is_pending(before), is_pending(progress.pending)) {
        (false, true) => tracing::info!(under_old_root, under_old_org_key, "a key rotation is under way"),
        (true, false) => tracing::info!("the key rotation is complete"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stopper;
    use tempfile::TempDir;
    use topdog_domain::OrgId;
    use topdog_domain::fakes::{FakeClock, MemoryStore, samples};
    use topdog_domain::ports::{OrgKeys, Organisations, ProviderKeys};
    use topdog_domain::tenant::ProviderKey;
    use topdog_vault::{References, RootKeyring, SecretText, Slot, VaultParts};

    struct Bed {
        store: Arc<MemoryStore>,
        vault: Vault,
        clock: Arc<FakeClock>,
        begun: Arc<Notify>,
        pending: Arc<PendingRewraps>,
        org: OrgId,
        _folder: TempDir,
    }

    impl Bed {
        /// A vault with so many sealed provider keys.
        async fn new(keys: usize) -> (Self, Vec<ProviderKey>) {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("root.key");
            RootKeyring::generate(&root).unwrap();
            let store = Arc::new(MemoryStore::new());
            let vault = Vault::new(VaultParts {
                root: RootKeyring::read(&root).unwrap(),
                org_keys: store.clone(),
                secrets: store.clone(),
                installation: store.clone(),
                references: References::new(),
                cache_ttl: Duration::from_secs(60),
                stale_ttl: Duration::ZERO,
            });
            let new = samples::organisation("acme", "PRO");
            let org = new.organisation.id;
            store.organisation_create(&new, &samples::audit(org, "organisation.create")).await.unwrap();
            vault.create_org_key(org, samples::NEW_YEAR).await.unwrap();
            let mut provider_keys = Vec::new();
            for number in 0..keys {
                let key = samples::provider_key(org, &format!("key {number}"));
                let secret = SecretText::new(format!("sk-{number}"));
                let sealed = vault.seal(&Slot::from(&key), &secret, samples::NEW_YEAR).await.unwrap();
                let audit = samples::audit(org, "provider_key.create");
                store.provider_key_create(&key, &sealed, &audit).await.unwrap();
                provider_keys.push(key);
            }
            let clock = Arc::new(FakeClock::at(samples::NEW_YEAR));
            let (begun, pending) = (Arc::default(), Arc::default());
            (Self { store, vault, clock, begun, pending, org, _folder: folder }, provider_keys)
        }

        fn start(&self) -> Stopper {
            let (stopper, stop) = Stopper::new();
            let parts = Rewrapping {
                vault: self.vault.clone(),
                begun: self.begun.clone(),
                pending: self.pending.clone(),
                clock: self.clock.clone(),
            };
            tokio::spawn(rewrap(parts, stop));
            stopper
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rotations_are_carried_to_their_end() {
        let (bed, keys) = Bed::new(250).await;
        let _stopper = bed.start();
        sleep(LOOK_EVERY / 2).await;
        bed.vault
            .rotate_org_key(bed.org, samples::NEW_YEAR, samples::audit(bed.org, "org_key.rotate"))
            .await
            .unwrap();
        bed.vault.rotate_root().unwrap();
        let before = bed.vault.pending().await.unwrap();
        assert_eq!((before.under_old_root, before.under_old_org_key), (2, 250));

        sleep(LOOK_EVERY).await;
        assert_eq!(bed.vault.pending().await.unwrap(), RewrapCount::default());
        for (number, key) in keys.iter().enumerate() {
            let (opened, _) = bed.vault.open(key, samples::NEW_YEAR).await.unwrap();
            assert_eq!(opened.expose(), format!("sk-{number}"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rotation_that_is_announced_begins_at_once_and_shows_how_far_it_is() {
        let (bed, _) = Bed::new(250).await;
        let _stopper = bed.start();
        sleep(LOOK_EVERY / 2).await;
        bed.vault
            .rotate_org_key(bed.org, samples::NEW_YEAR, samples::audit(bed.org, "org_key.rotate"))
            .await
            .unwrap();
        bed.begun.notify_one();
        sleep(BETWEEN_STEPS / 2).await;
        assert_eq!(bed.pending.get().under_old_org_key, 150);
        sleep(BETWEEN_STEPS * 2).await;
        assert_eq!(bed.pending.get(), RewrapCount::default());
        assert_eq!(bed.vault.pending().await.unwrap(), RewrapCount::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_asked_again() {
        let (bed, _) = Bed::new(1).await;
        bed.vault
            .rotate_org_key(bed.org, samples::NEW_YEAR, samples::audit(bed.org, "org_key.rotate"))
            .await
            .unwrap();
        bed.store.set_away(true);
        let _stopper = bed.start();
        sleep(LOOK_EVERY / 2).await;
        bed.store.set_away(false);
        assert_eq!(bed.vault.pending().await.unwrap().under_old_org_key, 1);
        sleep(LOOK_EVERY).await;
        assert_eq!(bed.vault.pending().await.unwrap(), RewrapCount::default());
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_not_be_re_wrapped_does_not_make_it_spin() {
        let (bed, keys) = Bed::new(1).await;
        let mut key = keys[0].clone();
        key.version = 2;
        let broken = samples::sealed_secret(&key, 1);
        let audit = samples::audit(bed.org, "provider_key.rotate");
        bed.store.provider_key_rotate(&key, &broken, &audit).await.unwrap();
        bed.vault
            .rotate_org_key(bed.org, samples::NEW_YEAR, samples::audit(bed.org, "org_key.rotate"))
            .await
            .unwrap();
        let _stopper = bed.start();
        // Paused time flies only where everything waits: a worker that spun would never let this end.
        sleep(LOOK_EVERY * 5).await;
        assert_eq!(bed.vault.pending().await.unwrap().under_old_org_key, 1);
        assert_eq!(bed.store.org_key_list(bed.org).await.unwrap().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn forgotten_keys_leave_no_plaintext() {
        let (bed, keys) = Bed::new(1).await;
        bed.vault.open(&keys[0], samples::NEW_YEAR).await.unwrap();
        let _stopper = bed.start();
        bed.clock.advance_seconds(61);
        sleep(LOOK_EVERY).await;
        // Asked with a clock that stood still, it would still be there.
        assert!(bed.vault.cached(&keys[0], samples::NEW_YEAR).is_none());
    }
}
