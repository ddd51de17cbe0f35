//! One statement, two engines.

use super::error;
use super::way::{PgDoor, PgWay};
use sqlx::{Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};
use topdog_domain::ports::PortError;

/// Something that there is one of for each engine.
pub(super) enum Engine<S, P> {
    Sqlite(S),
    Postgres(P),
}

/// Sends the same statement to whichever engine is open, and turns what the engine complains of into what the
/// ports know. With a [`Pair`], `$sql` is that engine's text.
macro_rules! on_engine {
    ($engine:expr, |$db:ident| $body:expr) => {
        match $engine {
            $crate::sql::engine::Engine::Sqlite($db) => $body,
            $crate::sql::engine::Engine::Postgres($db) => $body,
        }
        .map_err($crate::sql::error::from_engine)
    };
    ($engine:expr, $pair:expr, |$db:ident, $sql:ident| $body:expr) => {
        match $engine {
            $crate::sql::engine::Engine::Sqlite($db) => {
                let $sql = $pair.sqlite;
                $body
            }
            $crate::sql::engine::Engine::Postgres($db) => {
                let $sql = $pair.postgres;
                $body
            }
        }
        .map_err($crate::sql::error::from_engine)
    };
}
pub(super) use on_engine;

/// Declares a module's statements, and the list by which one test prepares them all on both engines.
macro_rules! statements {
    ($($name:ident = $text:expr;)+) => {
        $(const $name: &str = $text;)+

        #[cfg(test)]
        pub(super) const STATEMENTS: &[&str] = &[$($name),+];
    };
}
pub(super) use statements;

/// A statement that the two engines can't share.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// SQLite lets one write at a time: that one has a connection of its own, for which the others queue in
/// memory instead of polling the file's lock.
pub(super) struct SqlitePools {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

/// The open database.
pub(super) type Pools = Engine<SqlitePools, PgDoor>;
/// Where a single statement may be sent.
pub(super) type Pool<'a> = Engine<&'a SqlitePool, PgWay<'a>>;
/// Where a statement of a transaction is sent.
pub(super) type Conn<'a> = Engine<&'a mut SqliteConnection, PgWay<'a>>;

impl Pools {
    pub(super) const fn readers(&self) -> Pool<'_> {
        match self {
            Self::Sqlite(pools) => Engine::Sqlite(&pools.readers),
            Self::Postgres(door) => Engine::Postgres(door.way()),
        }
    }

    pub(super) const fn writer(&self) -> Pool<'_> {
        match self {
            Self::Sqlite(pools) => Engine::Sqlite(&pools.writer),
            Self::Postgres(door) => Engine::Postgres(door.way()),
        }
    }

    /// Begins a transaction that writes. On SQLite it takes the lock at once: one that began by reading
    /// could not get it any more after another's write.
    pub(super) async fn begin(&self) -> Result<Tx, PortError> {
        // What a statement reads behind a lock must be what the lock's last holder committed, whatever the
        // server's default is. A node that is paused, or whose network is gone, holds its locks no longer than
        // that: the server ends its transaction.
        const READ_COMMITTED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
            SET LOCAL idle_in_transaction_session_timeout = '10s'";
        let tx = match self {
            Self::Sqlite(pools) => pools.writer.begin_with("BEGIN IMMEDIATE").await.map(Engine::Sqlite),
            Self::Postgres(door) => {
                let tx = door.pool.begin_with(READ_COMMITTED).await;
                tx.map(|tx| Engine::Postgres((tx, door.is_behind_pooler)))
            }
        };
        tx.map(Tx).map_err(error::from_engine)
    }

    /// Begins a transaction whose reads all see the same state.
    pub(super) async fn begin_snapshot(&self) -> Result<Tx, PortError> {
        const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let tx = match self {
            Self::Sqlite(pools) => pools.readers.begin().await.map(Engine::Sqlite),
            Self::Postgres(door) => {
                let tx = door.pool.begin_with(SNAPSHOT).await;
                tx.map(|tx| Engine::Postgres((tx, door.is_behind_pooler)))
            }
        };
        tx.map(Tx).map_err(error::from_engine)
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pools) => {
                // The last connection to go folds the log into the file, which only a writer may.
                pools.readers.close().await;
                pools.writer.close().await;
            }
            Self::Postgres(door) => door.pool.close().await,
        }
    }
}

/// A transaction; dropped without [`Tx::commit`] it changes nothing.
pub(super) struct Tx(Engine<Transaction<'static, Sqlite>, (Transaction<'static, Postgres>, bool)>);

impl Tx {
    pub(super) fn conn(&mut self) -> Conn<'_> {
        match &mut self.0 {
            Engine::Sqlite(tx) => Engine::Sqlite(&mut *tx),
            Engine::Postgres((tx, is_behind_pooler)) => {
                Engine::Postgres(PgWay::within(&mut *tx, *is_behind_pooler))
            }
        }
    }

    pub(super) async fn commit(self) -> Result<(), PortError> {
        match self.0 {
            Engine::Sqlite(tx) => tx.commit().await,
            Engine::Postgres((tx, _)) => tx.commit().await,
        }
        .map_err(error::from_engine)
    }

    pub(super) async fn roll_back(self) -> Result<(), PortError> {
        match self.0 {
            Engine::Sqlite(tx) => tx.rollback().await,
            Engine::Postgres((tx, _)) => tx.rollback().await,
        }
        .map_err(error::from_engine)
    }
}
