//! Where facts are kept: SQLite, Postgres, Valkey, objects, the spool, behind the domain's ports.

pub mod spool;
