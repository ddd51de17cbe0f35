//! Where facts are kept: SQLite, Postgres, Valkey, objects, the spool, behind the domain's ports.
//!
//! [`Store`] is the database, SQLite or Postgres: it fills every port that keeps facts for long. `spool` is the
//! node's own queue of records on their way there, which needs no database.

pub mod spool;

mod runs;
mod sql;

pub use sql::{ChainsError, CopiedTable, CopyError, MigrateError, OpenError, Store, StoreOptions};
