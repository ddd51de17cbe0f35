use super::node::Node;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use topdog_domain::OrgId;
use topdog_jobs::{Follower, Retention, Rewrapping, Stopper, retain, rewrap, ship};

/// What runs beside the requests: shipping records, following changes, retention, rotation.
pub(super) struct Workers {
    stopper: Stopper,
    running: JoinSet<()>,
}

impl Workers {
    /// Starts all of them on the present runtime.
    pub(super) fn start(node: &Node, follower: Follower) -> Self {
        let (stopper, stop) = Stopper::new();
        let mut running = JoinSet::new();
        let store = Arc::new(node.store.clone());
        running.spawn(ship(Arc::new(node.spool.reader()), store.clone(), stop.clone()));
        running.spawn(follower.follow(stop.clone()));
        let (hearing, until, give_back) = (store.clone(), stop.clone(), giving_back(node));
        running.spawn(async move { until.cuts_off(hearing.hear_others(give_back)).await });
        let retention = Retention {
            directory: node.directory.clone(),
            sink: store.clone(),
            idempotency: store.clone(),
            minutes: store.clone(),
            caps: store,
            clock: node.clock.clone(),
        };
        running.spawn(retain(retention, stop.clone()));
        let rewrapping = Rewrapping {
            vault: node.vault.clone(),
            begun: node.rotation_begun.clone(),
            pending: node.pending_rewraps.clone(),
            clock: node.clock.clone(),
        };
        running.spawn(rewrap(rewrapping, stop));
        Self { stopper, running }
    }

    /// Lets each finish what it is at, and ship what it can. The spool is to be closed before.
    pub(super) async fn stop(mut self) {
        self.stopper.stop();
        let all_ended = async {
            while let Some(ended) = self.running.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a worker broke");
                }
            }
        };
        if tokio::time::timeout(PATIENCE, all_ended).await.is_err() {
            tracing::warn!("a worker does not end; what it leaves is taken up at the next start");
        }
    }
}

/// Gives back what an organisation's meters have leased here and not used.
fn giving_back(node: &Node) -> impl Fn(OrgId) + Send + Sync + use<> {
    let (store, directory) = (node.store.clone(), node.directory.clone());
    move |org| {
        let Some(org) = directory.snapshot().org(org).cloned() else { return };
        let store = store.clone();
        tokio::spawn(async move {
            if let Err(error) = org.meters.return_leases(&store).await {
                tracing::warn!(%error, "leases that were asked for can't be given back; they are lost until the day's end");
            }
        });
    }
}

/// The shipper's own last attempt takes 5 seconds at the most.
const PATIENCE: Duration = Duration::from_secs(8);
