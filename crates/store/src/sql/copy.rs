//! Everything of an installation on SQLite into an empty Postgres, as one transaction: all of it is there, or nothing.
//!
//! Tables and columns are asked of the databases, so that a later migration needs no word here.

use super::Store;
use super::engine::{Conn, Engine, Tx};
use super::error::from_engine;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::BTreeSet;
use topdog_domain::OrgId;
use topdog_domain::audit::{ChainFault, ChainVerifier};
use topdog_domain::ports::{PortError, RecordReader as _};
use uuid::Uuid;

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: String,
    /// Its rows, counted on both sides.
    pub rows: u64,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Another way than from SQLite to Postgres.
    #[error("only a SQLite database can be copied, and only to Postgres")]
    OtherEngines,
    /// Somebody's data is there.
    #[error(
        "the database to copy to is not empty ({0} has rows): name a new one, that no server has served from"
    )]
    NotEmpty(String),
    /// The two have not taken the same steps.
    #[error("the table {0} is not the same in both databases: copy with the version that both were made by")]
    OtherSchema(String),
    /// What was counted is not what was written.
    #[error("of the table {table} {found} rows arrived, and {expected} are there")]
    Lost {
        /// Which table.
        table: String,
        /// Rows at the source.
        expected: u64,
        /// Rows at the target.
        found: u64,
    },
    /// A database would not.
    #[error("a database can't be read or written")]
    Port(#[from] PortError),
}

/// Why an audit chain is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum ChainsError {
    /// The chain of that organisation.
    #[error("the audit chain of {org} is broken: {fault}")]
    Broken {
        /// Whose.
        org: OrgId,
        /// What is wrong with it.
        fault: ChainFault,
    },
    /// It can't be read.
    #[error("the audit chains can't be read")]
    Port(#[from] PortError),
}

impl Store {
    /// Copies everything into `target`, whose schema is there and which holds nothing else. Nobody may write to either
    /// meanwhile.
    ///
    /// # Errors
    /// Where it could not be done; the target is then as it was.
    pub async fn copy_to(&self, target: &Self) -> Result<Vec<CopiedTable>, CopyError> {
        if !matches!((self.pools(), target.pools()), (Engine::Sqlite(_), Engine::Postgres(_))) {
            return Err(CopyError::OtherEngines);
        }
        let mut from = self.pools().begin_snapshot().await?;
        // Servers that start meanwhile wait, as they do for each other.
        let mut to = target.begin_in_turn().await?;
        let tables = tables(&mut from).await?;
        for table in &tables {
            make_room(&mut to, table).await?;
        }
        let mut copied = Vec::new();
        for table in tables {
            let rows = copy_table(&mut from, &mut to, &table).await?;
            copied.push(CopiedTable { name: table, rows });
        }
        to.commit().await?;
        Ok(copied)
    }

    /// Recomputes every organisation's audit chain, and the installation's, to its end; how many entries there are.
    ///
    /// # Errors
    /// The first chain that is not what it should be.
    pub async fn audit_verify_all(&self) -> Result<u64, ChainsError> {
        const PAGE: u32 = 1_000;
        let mut tx = self.pools().begin_snapshot().await?;
        let orgs: Vec<Vec<u8>> = match tx.conn() {
            Engine::Sqlite(db) => sqlx::query_scalar(CHAINS).fetch_all(db).await,
            Engine::Postgres(db) => sqlx::query_scalar(CHAINS).fetch_all(db).await,
        }
        .map_err(from_engine)?;
        tx.roll_back().await?;
        let mut entries = 0;
        for org in orgs {
            let org = Uuid::from_slice(&org).map_err(|_| super::error::corrupt("audit_heads.org"))?;
            let org = OrgId::from_uuid(org);
            let broken = |fault| ChainsError::Broken { org, fault };
            let mut chain = ChainVerifier::new(org);
            loop {
                let page = self.audit_list(org, chain.head().0, PAGE).await?;
                if page.is_empty() {
                    break;
                }
                page.iter().try_for_each(|entry| chain.next(entry)).map_err(broken)?;
            }
            let (seq, hash) = self.audit_head(org).await?;
            chain.finish(seq, hash).map_err(broken)?;
            entries += seq;
        }
        Ok(entries)
    }
}

/// All tables of the source, each behind those that it refers to.
async fn tables(from: &mut Tx) -> Result<Vec<String>, PortError> {
    let db = sqlite(from.conn())?;
    let mut left: Vec<String> =
        sqlx::query_scalar(TABLES_SQLITE).fetch_all(&mut *db).await.map_err(from_engine)?;
    let mut sorted: Vec<String> = Vec::new();
    while !left.is_empty() {
        let before = left.len();
        for table in std::mem::take(&mut left) {
            let referred = sqlx::query_scalar(REFERRED_SQLITE).bind(&table).fetch_all(&mut *db).await;
            let referred: Vec<String> = referred.map_err(from_engine)?;
            let is_next = referred.iter().all(|other| sorted.contains(other) || *other == table);
            if is_next { sorted.push(table) } else { left.push(table) }
        }
        if left.len() == before {
            return Err(PortError::Corrupt("tables that refer to each other in a circle".to_owned()));
        }
    }
    Ok(sorted)
}

/// Takes away what a new schema begins with, and refuses where there is more.
async fn make_room(to: &mut Tx, table: &str) -> Result<(), CopyError> {
    let text = if BEGUN_WITH.contains(&table) {
        format!("DELETE FROM {table}")
    } else {
        format!("SELECT 1 FROM {table} LIMIT 1")
    };
    let Engine::Postgres(db) = to.conn() else { return Err(CopyError::OtherEngines) };
    let found = sqlx::query(AssertSqlSafe(text)).fetch_optional(db).await.map_err(from_engine)?;
    found.map_or(Ok(()), |_| Err(CopyError::NotEmpty(table.to_owned())))
}

/// What a migration fills by itself.
const BEGUN_WITH: [&str; 2] = ["membership_tiers", "change_clock"];

async fn copy_table(from: &mut Tx, to: &mut Tx, table: &str) -> Result<u64, CopyError> {
    let columns = columns(from, to, table).await?;
    let names = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
    let places: Vec<String> =
        (1..).zip(&columns).map(|(place, column)| format!("${place}::{}[]", column.kind.name())).collect();
    let insert = format!("INSERT INTO {table} ({names}) SELECT * FROM UNNEST({})", places.join(", "));
    let select = format!("SELECT {names} FROM {table}");
    let mut expected = 0;
    {
        use futures_util::TryStreamExt as _;
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(sqlite(from.conn())?);
        let mut batch: Vec<SqliteRow> = Vec::new();
        loop {
            let row = rows.try_next().await.map_err(from_engine)?;
            let is_end = row.is_none();
            batch.extend(row);
            if batch.len() >= ROWS_AT_ONCE || (is_end && !batch.is_empty()) {
                expected += batch.len() as u64;
                write(to, &insert, &columns, &batch).await?;
                batch.clear();
            }
            if is_end {
                break;
            }
        }
    }
    let found: i64 = match to.conn() {
        Engine::Postgres(db) => {
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"))).fetch_one(db).await
        }
        Engine::Sqlite(_) => return Err(CopyError::OtherEngines),
    }
    .map_err(from_engine)?;
    let found = super::columns::unsigned("count", found)?;
    if found != expected {
        return Err(CopyError::Lost { table: table.to_owned(), expected, found });
    }
    Ok(found)
}

/// A row of records may be some hundred kilobytes.
const ROWS_AT_ONCE: usize = 100;

async fn write(to: &mut Tx, insert: &str, columns: &[Column], rows: &[SqliteRow]) -> Result<(), PortError> {
    let mut query = sqlx::query(AssertSqlSafe(insert.to_owned()));
    for (place, column) in columns.iter().enumerate() {
        query = match column.kind {
            Kind::Number => query.bind(values::<Option<i64>>(rows, place)?),
            Kind::Text => query.bind(values::<Option<String>>(rows, place)?),
            Kind::Bytes => query.bind(values::<Option<Vec<u8>>>(rows, place)?),
            Kind::Truth => query.bind(values::<Option<bool>>(rows, place)?),
        };
    }
    match to.conn() {
        Engine::Postgres(db) => query.execute(db).await.map(|_| ()).map_err(from_engine),
        Engine::Sqlite(_) => Err(PortError::Corrupt("the target is no Postgres".to_owned())),
    }
}

fn values<T>(rows: &[SqliteRow], place: usize) -> Result<Vec<T>, PortError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    rows.iter().map(|row| row.try_get(place).map_err(from_engine)).collect()
}

/// A column as Postgres has it.
struct Column {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Number,
    Text,
    Bytes,
    Truth,
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        [Self::Number, Self::Text, Self::Bytes, Self::Truth].into_iter().find(|kind| kind.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Number => "bigint",
            Self::Text => "text",
            Self::Bytes => "bytea",
            Self::Truth => "boolean",
        }
    }
}

/// The columns of a table, which both databases have under the same names.
async fn columns(from: &mut Tx, to: &mut Tx, table: &str) -> Result<Vec<Column>, CopyError> {
    let other = || CopyError::OtherSchema(table.to_owned());
    let Engine::Postgres(db) = to.conn() else { return Err(CopyError::OtherEngines) };
    let there = sqlx::query_as(COLUMNS_POSTGRES).bind(table).fetch_all(db).await.map_err(from_engine)?;
    let there: Vec<(String, String)> = there;
    let here = sqlx::query_scalar(COLUMNS_SQLITE).bind(table).fetch_all(sqlite(from.conn())?).await;
    let here: Vec<String> = here.map_err(from_engine)?;
    let names = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<BTreeSet<_>>();
    if names(&mut here.iter()) != names(&mut there.iter().map(|(name, _)| name)) {
        return Err(other());
    }
    let column = |(name, kind): (String, String)| Some(Column { kind: Kind::parse(&kind)?, name });
    there.into_iter().map(column).collect::<Option<_>>().ok_or_else(other)
}

fn sqlite(conn: Conn<'_>) -> Result<&mut sqlx::SqliteConnection, PortError> {
    match conn {
        Engine::Sqlite(db) => Ok(db),
        Engine::Postgres(_) => Err(PortError::Corrupt("the source is no SQLite".to_owned())),
    }
}

const CHAINS: &str = "SELECT org FROM audit_heads ORDER BY org";
const TABLES_SQLITE: &str = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
    AND name <> 'schema_migrations' ORDER BY name";
const REFERRED_SQLITE: &str = "SELECT \"table\" FROM pragma_foreign_key_list($1)";
const COLUMNS_SQLITE: &str = "SELECT name FROM pragma_table_info($1)";
const COLUMNS_POSTGRES: &str = "SELECT column_name::text, data_type::text FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";
