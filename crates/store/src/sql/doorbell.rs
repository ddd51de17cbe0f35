//! How a node hears at once that another has changed something, or wants back what is leased and not used: Postgres's
//! NOTIFY, of a change sent with its commit.
//!
//! It makes changes faster, not surer: what is told while nobody listens is never told again, so every node asks for
//! changes all the same.

use super::Store;
use super::engine::{Engine, Tx, statements};
use super::way::PgDoor;
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use topdog_domain::OrgId;
use topdog_domain::ports::PortError;

impl Store {
    /// Rings this node's doorbell whenever another node has committed a change, and calls `on_recall` for an organisation
    /// of whose limits a node has none left, for as long as it is polled. It takes a connection of its own. On SQLite, and
    /// behind a pooler, where nothing can be heard, it only waits.
    pub async fn hear_others(&self, on_recall: impl Fn(OrgId) + Send + Sync) {
        let Engine::Postgres(PgDoor { pool, is_behind_pooler: false }) = self.pools() else {
            return std::future::pending().await;
        };
        let mut is_failing = false;
        loop {
            let Err(error) = self.listen(pool, &on_recall).await;
            if !is_failing {
                tracing::warn!(%error, "other nodes' changes are not heard, but found by asking, until this is over");
            }
            is_failing = true;
            sleep(PAUSE).await;
        }
    }

    async fn listen(
        &self,
        pool: &PgPool,
        on_recall: &(impl Fn(OrgId) + Send + Sync),
    ) -> Result<Infallible, sqlx::Error> {
        let options = pool.connect_options().as_ref().clone();
        let own =
            PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen_all([CHANGES, RECALLS]).await?;
        loop {
            // What was told while the connection was lost is not told again, so a loss is a ring, too.
            self.doorbell().notify_waiters();
            while let Ok(heard) = timeout(LOOK_AFTER, listener.try_recv()).await {
                match heard? {
                    Some(told) if told.channel() == RECALLS => {
                        // What is no organisation's id comes from something else in this database.
                        let _ = told.payload().parse().map(on_recall);
                    }
                    Some(_) | None => self.doorbell().notify_waiters(),
                }
            }
            // Nothing for so long: nobody changed anything, or the connection is dead and nobody has said so.
            let asked = sqlx::query(ALIVE).execute(&mut listener);
            timeout(PATIENCE, asked).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
        }
    }
}

impl Store {
    pub(super) async fn ring_recall(&self, org: OrgId) -> Result<(), PortError> {
        match self.pools().writer() {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(db) => {
                let rung = sqlx::query(RECALL_POSTGRES).bind(org.to_string()).execute(db).await;
                rung.map(|_| ()).map_err(super::error::from_engine)
            }
        }
    }
}

/// Tells every node that listens, once the transaction is committed.
pub(super) async fn ring(tx: &mut Tx) -> Result<(), PortError> {
    match tx.conn() {
        Engine::Sqlite(_) => Ok(()),
        Engine::Postgres(db) => {
            sqlx::query(RING_POSTGRES).execute(db).await.map(|_| ()).map_err(super::error::from_engine)
        }
    }
}

/// Between two attempts to listen.
const PAUSE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AFTER: Duration = Duration::from_secs(30);

const CHANGES: &str = "topdog_changes";
const RECALLS: &str = "topdog_recalls";
const RING_POSTGRES: &str = "SELECT pg_notify('topdog_changes', '')";
const RECALL_POSTGRES: &str = "SELECT pg_notify('topdog_recalls', $1)";

statements! {
    ALIVE = "SELECT 1";
}
