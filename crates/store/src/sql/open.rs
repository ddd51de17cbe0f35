//! How a database is found, opened and closed.

use super::engine::{Engine, Pools, SqlitePools, on_engine, statements};
use super::way::PgDoor;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use topdog_domain::ports::PortError;

/// The database of an installation, SQLite or Postgres. It fills the ports of the domain; cloning it is cheap.
#[derive(Clone)]
pub struct Store(pub(super) Arc<Opened>);

pub(super) struct Opened {
    pub(super) pools: Pools,
    /// Rung after the commit of every change that the feed tells of.
    pub(super) doorbell: Arc<Notify>,
}

/// How the database is to be used.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Connections at the most: on SQLite those of readers, beside the one writer; on Postgres one of them only listens
    /// ([`Store::hear_others`]).
    pub max_connections: u32,
    /// How long to wait for a connection, or for SQLite's lock, before giving up.
    pub acquire_timeout: Duration,
    /// Is there a pooler before Postgres that keeps a connection for a transaction only?
    pub is_behind_pooler: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { max_connections: 8, acquire_timeout: Duration::from_secs(10), is_behind_pooler: false }
    }
}

/// Why a database could not be opened. None of them shows the address: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address names no engine that is known.
    #[error(
        "the database address is not understood: write sqlite:///path/topdog.db or postgres://user@host/name"
    )]
    BadAddress,
    /// The database file can't be made, or can't be kept to its owner.
    #[error("the database file {path} can't be made or its mode set to 0600: check the folder and its owner")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The engine refuses, or does not answer.
    #[error("the database can't be opened: check that it runs, its name, user and password")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Store {
    /// Opens `sqlite:///path/topdog.db` (or a bare path), which is made where it is missing, or `postgres://…`.
    /// Call [`Store::migrate`] next.
    ///
    /// # Errors
    /// Where the address is not understood, or what it names can't be opened.
    pub async fn open(url: &str, options: &StoreOptions) -> Result<Self, OpenError> {
        let pools = match Address::parse(url)? {
            Address::Sqlite(path) => open_sqlite(path, options).await?,
            Address::Postgres => open_postgres(url, options).await?,
        };
        let doorbell = Arc::default();
        Ok(Self(Arc::new(Opened { pools, doorbell })))
    }

    /// Rung whenever this node has changed what the change feed tells of.
    #[must_use]
    pub fn doorbell(&self) -> Arc<Notify> {
        self.0.doorbell.clone()
    }

    /// Does the database answer?
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ping(&self) -> Result<(), PortError> {
        on_engine!(self.pools().readers(), |db| sqlx::query(PING).execute(db).await.map(|_| ()))
    }

    /// Closes all connections, after what is under way.
    pub async fn close(&self) {
        self.pools().close().await;
    }

    pub(super) fn pools(&self) -> &Pools {
        &self.0.pools
    }
}

enum Address<'a> {
    Sqlite(&'a Path),
    Postgres,
}

impl<'a> Address<'a> {
    fn parse(url: &'a str) -> Result<Self, OpenError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres);
        }
        let path = match url.strip_prefix("sqlite:") {
            Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
            None if url.contains("://") => return Err(OpenError::BadAddress),
            None => url,
        };
        if path.is_empty() || path == ":memory:" {
            return Err(OpenError::BadAddress);
        }
        Ok(Self::Sqlite(Path::new(path)))
    }
}

async fn open_sqlite(path: &Path, options: &StoreOptions) -> Result<Pools, OpenError> {
    keep_to_owner(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged is on the disk, through a power cut too.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(options.acquire_timeout)
        .foreign_keys(true)
        // Most of what is written is appended records, which cost less by larger pages.
        .page_size(8192)
        // What is deleted is overwritten: destroyed keys leave nothing in the file.
        .pragma("secure_delete", "ON");
    let pool = || {
        // A connection to a file does not age, and opening one anew would only be a hiccup.
        SqlitePoolOptions::new()
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool().max_connections(1).connect_with(connect.clone()).await;
    let writer = writer.map_err(refused)?;
    let readers = pool()
        .max_connections(options.max_connections.max(1))
        .connect_with(connect.pragma("query_only", "ON"))
        .await
        .map_err(refused)?;
    Ok(Engine::Sqlite(SqlitePools { writer, readers }))
}

/// The engine gives the files that it makes beside the database the database's mode.
fn keep_to_owner(path: &Path) -> std::io::Result<()> {
    let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match new {
        // Not opened for that: closing a file gives up this process's locks on it, the engine's too.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            std::fs::set_permissions(path, Permissions::from_mode(0o600))
        }
        made => made.map(drop),
    }
}

async fn open_postgres(url: &str, options: &StoreOptions) -> Result<Pools, OpenError> {
    let mut connect: PgConnectOptions = url.parse().map_err(|_| OpenError::BadAddress)?;
    let is_behind_pooler = options.is_behind_pooler;
    if is_behind_pooler {
        // PgBouncer refuses whom it can't keep that promise to; nothing here is a float.
        connect = connect.statement_cache_capacity(0).extra_float_digits(None);
    }
    let for_listening = u32::from(!is_behind_pooler);
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections.saturating_sub(for_listening).max(1))
        .acquire_timeout(options.acquire_timeout)
        .connect_with(connect.application_name("topdog"))
        .await
        .map_err(refused)?;
    Ok(Engine::Postgres(PgDoor { pool, is_behind_pooler }))
}

fn refused(error: sqlx::Error) -> OpenError {
    OpenError::Refused(Box::new(error))
}

statements! {
    PING = "SELECT 1";
}
