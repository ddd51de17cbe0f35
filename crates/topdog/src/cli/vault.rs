//! `topdog vault`: how far the rotation of root and organisation keys has come.

use super::failure::Failure;
use super::org_arg::OrgArg;
use super::print;
use super::route::Route;
use super::session::Session;
use super::table::{Table, listed};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;
use topdog_platform::api::{OrgVaultStatus, Rotation, VaultStatus};

/// What to do with the keys that seal provider keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Vault {
    /// Show what is still sealed under older keys; without --org, for the operator, in the whole installation
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
        Vault::Status { org } if org.given().is_none() && session.api.is_operator() => {
            let status: VaultStatus = session.api.get(Route::new("vault")).await?;
            session.output.answer(&status, |status| {
                Table::of_facts([
                    ("root key: pending", status.under_old_root.to_string()),
                    ("root key: done", status.under_present_root.to_string()),
                    ("organisation keys: pending", status.under_old_org_key.to_string()),
                    ("organisation keys: done", status.under_newest_org_key.to_string()),
                ])
            })
        }
        Vault::Status { org } => {
            let status: OrgVaultStatus = session.api.get(of_org(session, &org)?).await?;
            session.output.answer(&status, |status| {
                Table::of_facts([
                    ("version", status.version.to_string()),
                    ("made", status.created_at.to_string()),
                    ("pending", status.pending.to_string()),
                    ("done", status.done.to_string()),
                    ("older versions kept", listed(&status.older_versions)),
                ])
            })
        }
        Vault::RotateRoot { wait } => {
            let rotation: Rotation =
                session.api.post(Route::new("vault").then("rotate-root"), &json!({})).await?;
            if wait {
                let status = Route::new("vault");
                until_none(session, status, |status: &VaultStatus| status.under_old_root).await?;
            }
            shown(session, &rotation)
        }
        Vault::RotateOrg { org, wait } => {
            let status = of_org(session, &org)?;
            let rotation: Rotation = session.api.post(status.clone().then("rotate"), &json!({})).await?;
            if wait {
                until_none(session, status, |status: &OrgVaultStatus| status.pending).await?;
            }
            shown(session, &rotation)
        }
    }
}

fn of_org(session: &Session, org: &OrgArg) -> Result<Route, Failure> {
    Ok(Route::of_org(session.org(org.given())?).then("vault"))
}

/// Looks once a second until nothing is pending, and tells what is where that has changed.
async fn until_none<S: DeserializeOwned>(
    session: &Session,
    status: Route,
    pending: impl Fn(&S) -> u64,
) -> Result<(), Failure> {
    let mut told = None;
    for _ in 0..LONGEST_WAIT_SECONDS {
        let now = pending(&session.api.get(status.clone()).await?);
        if now == 0 {
            return Ok(());
        }
        if told.replace(now) != Some(now) {
            print::note(&format_args!("{now} are still sealed under older versions"));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(Failure::failed("it is not done yet and goes on; `topdog vault status` shows how far it is"))
}

const LONGEST_WAIT_SECONDS: u32 = 600;

fn shown(session: &Session, rotation: &Rotation) -> Result<(), Failure> {
    session
        .output
        .answer(rotation, |rotation| Table::of_facts([("new version", rotation.version.to_string())]))
}
