//! `topdog policies`: which models may be used, and by what other names.

mod file;
mod present;

use super::failure::Failure;
use super::org_arg::OrgArg;
use super::print;
use super::route::Route;
use super::session::Session;
use super::table::listed;
use std::path::PathBuf;
use topdog_domain::policy::PolicyScope;
use topdog_domain::provider::Operation;
use topdog_domain::{ApiKeyId, WorkspaceId};
use topdog_platform::api::{ExplainPolicy, List, Policy, PolicyExplanation, PutPolicy, RollBackPolicy};

/// What to do with policies.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Policies {
    /// List the policies in force
    List {
        #[command(flatten)]
        org: OrgArg,
    },
    /// Show the policy in force
    Show {
        #[command(flatten)]
        place: Place,
        /// Print only what it says, as JSON, in the form that `set` takes
        #[arg(long)]
        document: bool,
    },
    /// Put the next version of a policy in force, as a file says
    Set {
        #[command(flatten)]
        place: Place,
        /// The policy: TOML, or JSON where its name ends in .json
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only where that version is in force (0: none) [default: the one in force when the command looks]
        #[arg(long, value_name = "VERSION")]
        expect: Option<u32>,
    },
    /// Show a policy's versions, newest first
    History {
        #[command(flatten)]
        place: Place,
    },
    /// Put what an earlier version said in force again, as the next version
    Rollback {
        #[command(flatten)]
        place: Place,
        /// The earlier version
        #[arg(long, value_name = "VERSION")]
        to: u32,
        /// Only where that version is in force (0: none) [default: the one in force when the command looks]
        #[arg(long, value_name = "VERSION")]
        expect: Option<u32>,
    },
    /// Delete a policy; its versions stay
    Delete {
        #[command(flatten)]
        place: Place,
    },
    /// Say what would happen to a request, and by which rule, without making it
    Explain(Explain),
}

/// Whose requests a policy is for; the whole organisation's, unless a workspace or a key is named.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    #[command(flatten)]
    org: OrgArg,
    /// For requests of keys that are bound to this workspace, by id
    #[arg(long, value_name = "WORKSPACE", conflicts_with = "key")]
    workspace: Option<WorkspaceId>,
    /// For requests of this API key, by id
    #[arg(long, value_name = "KEY")]
    key: Option<ApiKeyId>,
}

/// The request that nobody makes.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    org: OrgArg,
    /// The model, as it would be asked for
    #[arg(value_name = "MODEL")]
    model: String,
    /// The API key that would make it, by id [default: the one that this command speaks for]
    #[arg(long, value_name = "KEY")]
    key: Option<ApiKeyId>,
    /// What kind of request
    #[arg(long, default_value = "chat", value_parser = operation)]
    operation: Operation,
}

impl Place {
    fn scope(&self) -> PolicyScope {
        match (self.workspace, self.key) {
            (Some(workspace), _) => PolicyScope::Workspace(workspace),
            (None, Some(key)) => PolicyScope::Key(key),
            (None, None) => PolicyScope::Organisation,
        }
    }

    fn route(&self, session: &Session) -> Result<Route, Failure> {
        Ok(policies(session, &self.org)?.then(self.scope().to_string()))
    }
}

fn policies(session: &Session, org: &OrgArg) -> Result<Route, Failure> {
    Ok(Route::of_org(session.org(org.given())?).then("policies"))
}

pub(super) async fn run(command: Policies, session: &Session) -> Result<(), Failure> {
    match command {
        Policies::List { org } => {
            let all: List<Policy> = session.api.get(policies(session, &org)?).await?;
            session.output.answer(&all.data, |all| present::list(all))
        }
        Policies::Show { place, document } => {
            let policy: Policy = session.api.get(place.route(session)?).await?;
            if document { print::json(&policy.document) } else { shown(session, &policy) }
        }
        Policies::Set { place, file, expect } => {
            let document = file::read(&file)?;
            let expected_version = expected(session, &place, expect).await?;
            let put = PutPolicy { expected_version, document };
            let policy: Policy = session.api.put(place.route(session)?, &put).await?;
            shown(session, &policy)
        }
        Policies::History { place } => {
            let all: Vec<Policy> = session.api.get_all(place.route(session)?.then("versions")).await?;
            session.output.answer(&all, |all| present::history(all))
        }
        Policies::Rollback { place, to, expect } => {
            let expected_version = expected(session, &place, expect).await?;
            let back = RollBackPolicy { to_version: to, expected_version };
            let policy: Policy = session.api.post(place.route(session)?.then("rollback"), &back).await?;
            shown(session, &policy)
        }
        Policies::Delete { place } => {
            session.api.delete(place.route(session)?).await?;
            print::note(&format_args!("the policy of {} is deleted", place.scope()));
            Ok(())
        }
        Policies::Explain(Explain { org, model, key, operation }) => {
            let asked = ExplainPolicy { key, model, operation };
            let told: PolicyExplanation =
                session.api.post(policies(session, &org)?.then("explain"), &asked).await?;
            session.output.answer(&told, present::explanation)
        }
    }
}

/// The version that the next one is to follow.
async fn expected(session: &Session, place: &Place, given: Option<u32>) -> Result<u32, Failure> {
    if let Some(given) = given {
        return Ok(given);
    }
    let all: List<Policy> = session.api.get(policies(session, &place.org)?).await?;
    let there = all.data.iter().find(|policy| policy.scope == place.scope());
    Ok(there.map_or(0, |policy| policy.version))
}

/// Reads a kind of request as an argument.
fn operation(text: &str) -> Result<Operation, String> {
    let mut known = Operation::ALL.into_iter();
    known.find(|operation| operation.name() == text).ok_or_else(|| {
        format!(
            "a kind of request is one of {}",
            listed(Operation::ALL.iter().map(|operation| operation.name()))
        )
    })
}

fn shown(session: &Session, policy: &Policy) -> Result<(), Failure> {
    for warning in &policy.warnings {
        print::note(&format_args!("warning: {warning}"));
    }
    session.output.answer(policy, present::policy)
}
