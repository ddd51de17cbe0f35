//! `topdog audit`: reading the chain, and recomputing it here rather than believing the server.

mod verify;

use super::failure::Failure;
use super::org_arg::OrgArg;
use super::route::Route;
use super::session::Session;
use super::table::Table;
use topdog_domain::OrgId;
use topdog_domain::audit::{Actor, AuditDraft, AuditOutcome};
use topdog_platform::api::{AuditChain, AuditEntry, AuditLog};
pub(crate) use verify::Head;

/// What to do with the audit log.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    /// List entries, in the order of the chain
    List {
        #[command(flatten)]
        org: OrgArg,
        /// Begin behind this place
        #[arg(long, value_name = "PLACE", default_value_t = 0)]
        after: u64,
        /// How many at the most
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: usize,
    },
    /// List whose chains there are, those of destroyed organisations and of the installation too; for the operator
    Chains,
    /// Download the chain, recompute it here and compare its end; for the operator every one there is
    Verify {
        #[command(flatten)]
        org: OrgArg,
        /// An end that an earlier run printed and that was kept elsewhere: the chain must still hold it
        #[arg(long, value_name = "PLACE:HASH", value_parser = verify::head, requires = "org")]
        expect: Option<Head>,
    },
}

pub(super) async fn run(command: Audit, session: &Session) -> Result<(), Failure> {
    match command {
        Audit::List { org, after, limit } => list(session, &org, after, limit).await,
        Audit::Chains => chains(session).await,
        Audit::Verify { org, expect } => verify::run(session, &org, expect.as_ref()).await,
    }
}

async fn list(session: &Session, org: &OrgArg, after: u64, limit: usize) -> Result<(), Failure> {
    let org = session.org(org.given())?;
    let mut entries = Vec::new();
    let mut next = Some(after);
    while let Some(after) = next.filter(|_| entries.len() < limit) {
        let log = page(session, org, after).await?;
        entries.extend(log.data);
        next = log.next_after;
    }
    entries.truncate(limit);
    session.output.answer(&entries, |entries| table(entries))
}

async fn chains(session: &Session) -> Result<(), Failure> {
    let chains: Vec<AuditChain> = session.api.get_all(Route::new("audit").then("chains")).await?;
    session.output.answer(&chains, |chains| {
        let mut table = Table::new(&["chain", "organisation"]);
        for chain in chains {
            let name = chain.name.as_deref().unwrap_or(if chain.is_of_installation {
                "(installation)"
            } else {
                "(no organisation)"
            });
            table.row([chain.org.to_string(), name.to_owned()]);
        }
        table
    })
}

/// One stretch of the chain.
async fn page(session: &Session, org: &str, after: u64) -> Result<AuditLog, Failure> {
    let is_of_installation = org.parse() == Ok(OrgId::INSTALLATION);
    let route = if is_of_installation { Route::new("audit") } else { Route::of_org(org).then("audit") };
    let route = route.with("after", after.to_string()).with("limit", "200");
    session.api.get(route).await
}

fn table(entries: &[AuditEntry]) -> Table {
    let mut table = Table::new(&["seq", "at", "who", "what", "to what", "outcome"]);
    for entry in entries {
        match serde_json::from_str::<AuditDraft>(&entry.body) {
            Ok(said) => table.row([
                entry.seq.to_string(),
                said.at.to_string(),
                who(&said.actor).to_owned(),
                said.action,
                said.target,
                outcome(said.outcome).to_owned(),
            ]),
            Err(_) => table.row([entry.seq.to_string(), entry.body.clone()]),
        }
    }
    table
}

fn who(actor: &Actor) -> &str {
    match actor {
        Actor::Operator => "operator",
        Actor::ApiKey(id) => id,
        Actor::System => "system",
    }
}

const fn outcome(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Success => "success",
        AuditOutcome::Denied => "denied",
        AuditOutcome::Failure => "failure",
    }
}
