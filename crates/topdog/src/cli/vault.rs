//! `topdog vault`: how far the rotation of root and organisation keys has come.

use super::failure::Failure;
use super::org_arg::OrgArg;
use super::print;
use super::route::Route;
use super::session::Session;
use super::table::Table;
use serde_json::json;
use std::time::Duration;
use topdog_platform::api::{Rotation, VaultStatus};

/// What to do with the keys that seal provider keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Vault {
    /// Show what is still sealed under older keys; for the operator of the whole installation
    Status {
        #[command(flatten)]
        org: OrgArg,
    },
    /// Begin a new version of the root key; organisation keys are wrapped anew while the server runs
    RotateRoot {
        /// Return when nothing is left under older versions
        #[arg(long)]
        wait: bool,
    },
    /// Begin a new version of an organisation's key; its data keys are wrapped anew while the server runs
    RotateOrg {
        #[command(flatten)]
        org: OrgArg,
        /// Return when nothing is left under older versions
        #[arg(long)]
        wait: bool,
    },
}

pub(super) async fn run(command: Vault, session: &Session) -> Result<(), Failure> {
    match command {
        Vault::Status { org } => {
            let status: VaultStatus = session.api.get(status_route(session, &org)?).await?;
            session.output.answer(&status, facts)
        }
        Vault::RotateRoot { wait } => {
            let route = Route::new("vault");
            rotate(session, route.clone().then("rotate-root"), wait.then_some(route)).await
        }
        Vault::RotateOrg { org, wait } => {
            let route = Route::of_org(session.org(org.given())?).then("vault");
            rotate(session, route.clone().then("rotate"), wait.then_some(route)).await
        }
    }
}

fn status_route(session: &Session, org: &OrgArg) -> Result<Route, Failure> {
    if org.given().is_none() && session.api.is_operator() {
        return Ok(Route::new("vault"));
    }
    Ok(Route::of_org(session.org(org.given())?).then("vault"))
}

async fn rotate(session: &Session, route: Route, wait_at: Option<Route>) -> Result<(), Failure> {
    let mut rotation: Rotation = session.api.post(route, &json!({})).await?;
    if let Some(status) = wait_at {
        while total(&rotation.pending) > 0 {
            print::note(&format_args!("{} keys are still to be wrapped anew", total(&rotation.pending)));
            tokio::time::sleep(Duration::from_secs(1)).await;
            rotation.pending = session.api.get(status.clone()).await?;
        }
    }
    session.output.answer(&rotation, |rotation| {
        let mut table = Table::of_facts([("new version", rotation.version.to_string())]);
        pending(&rotation.pending, &mut table);
        table
    })
}

const fn total(status: &VaultStatus) -> u64 {
    status.under_old_root.saturating_add(status.under_old_org_key)
}

fn facts(status: &VaultStatus) -> Table {
    let mut table = Table::of_facts([]);
    pending(status, &mut table);
    table
}

fn pending(status: &VaultStatus, table: &mut Table) {
    table.row(["under an older root key".to_owned(), status.under_old_root.to_string()]);
    table.row(["under an older organisation key".to_owned(), status.under_old_org_key.to_string()]);
}
