//! `topdog migrate` and `topdog db`: the database itself, without a server.

use super::config;
use super::exit::Exit;
use super::failure::Failure;
use super::globals::Globals;
use super::print;
use super::table::Table;
use crate::config::{Config, Environment, Reference};
use crate::serve::{DataDir, open_store};
use serde::Serialize;
use std::error::Error;
use topdog_store::{Store, StoreOptions};

/// What to do with the database.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Db {
    /// Copy everything from SQLite into an empty Postgres; no server may serve from the data folder meanwhile
    Copy {
        /// The URL of the database to copy to, by reference: env:NAME or file:PATH
        #[arg(long, value_name = "REFERENCE")]
        to: String,
    },
}

/// Brings the configured database's schema up to date.
pub(super) async fn migrate(globals: &Globals) -> Result<(), Failure> {
    let config = config::load(globals)?.config;
    let store = open(&config).await?;
    let migrated = store.migrate().await;
    store.close().await;
    migrated.map_err(|error| failed(&error))?;
    print::note("the database's schema is up to date");
    Ok(())
}

pub(super) async fn run(command: &Db, globals: &Globals) -> Result<(), Failure> {
    let Db::Copy { to } = command;
    let config = config::load(globals)?.config;
    let reference = Reference::parse(to).ok_or_else(|| {
        Failure::usage("--to takes a reference, env:NAME or file:PATH: a URL may hold a password")
    })?;
    let url =
        reference.resolve(&Environment::of_process()).map_err(|error| Failure::usage(error.to_string()))?;
    // A server that ran would write what is then missing.
    let _stopped = DataDir::open(&config.data_dir)
        .map_err(|error| Failure::with(Exit::Conflict, format!("{error:#}")))?;
    let source = open(&config).await?;
    let target =
        Store::open(&url, &StoreOptions::default()).await.map_err(|error| failed(&error).about("--to"))?;
    let copied = copy(&source, &target).await;
    source.close().await;
    target.close().await;
    let copied = copied?;
    globals.output.answer(&copied, |copied| {
        let mut table = Table::new(&["table", "rows"]);
        for row in &copied.tables {
            table.row([row.name.clone(), row.rows.to_string()]);
        }
        table
    })?;
    print::note(&format!(
        "copied and counted; {} audit entries recomputed on both sides. Next: let store.url lead there, keep the data \
         folder (its root key, its spool), and start the server",
        copied.audit_entries
    ));
    Ok(())
}

/// What was copied, for programs.
#[derive(Serialize)]
struct Copied {
    tables: Vec<CopiedTable>,
    audit_entries: u64,
}

#[derive(Serialize)]
struct CopiedTable {
    name: String,
    rows: u64,
}

async fn copy(source: &Store, target: &Store) -> Result<Copied, Failure> {
    for store in [source, target] {
        store.migrate().await.map_err(|error| failed(&error))?;
    }
    let before = source.audit_verify_all().await.map_err(|error| unverified(&error))?;
    let copied = source.copy_to(target).await.map_err(|error| failed(&error))?;
    let audit_entries = target.audit_verify_all().await.map_err(|error| unverified(&error))?;
    if audit_entries != before {
        return Err(Failure::with(
            Exit::VerificationFailed,
            format!("the copy has {audit_entries} audit entries of {before}: do not use it"),
        ));
    }
    let tables = copied.into_iter().map(|table| CopiedTable { name: table.name, rows: table.rows }).collect();
    Ok(Copied { tables, audit_entries })
}

async fn open(config: &Config) -> Result<Store, Failure> {
    open_store(config, &Environment::of_process())
        .await
        .map_err(|error| Failure::failed(format!("{error:#}")))
}

/// The error with what caused it, none of which shows a database's address.
fn failed(error: &dyn Error) -> Failure {
    Failure::failed(chain(error))
}

fn unverified(error: &dyn Error) -> Failure {
    Failure::with(Exit::VerificationFailed, chain(error))
}

fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
