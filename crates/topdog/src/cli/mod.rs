//! Every command but `serve`: a client of the management API like any other, and a few that look at this machine.
//!
//! A command opens a [`session::Session`] (which server, whose credential), asks the [`api::Api`], and hands what
//! it heard to [`print`], the only place that prints. What went wrong is a [`failure::Failure`], whose
//! [`exit::Exit`] scripts rely on.

mod api;
mod api_keys;
mod apply;
mod audit;
mod config;
mod credential;
mod db;
mod doctor;
mod duration;
mod endpoints;
mod exit;
mod failure;
mod globals;
mod health;
mod init;
mod manual;
mod org_arg;
mod orgs;
mod policies;
mod print;
mod provider_keys;
mod route;
mod secret_file;
mod secret_source;
mod session;
mod table;
mod tiers;
mod usage;
mod vault;

pub(crate) use exit::EXIT_CODES;
use exit::Exit;
use failure::Failure;
pub(crate) use globals::Globals;
use session::Session;
use std::process::ExitCode;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Something that a server is asked for.
    #[command(flatten)]
    Online(Online),
    /// Something that needs no server.
    #[command(flatten)]
    Local(Local),
}

/// What a server is asked for.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Online {
    /// Make the first organisation, its owner, its default workspace and its first API key
    Init(init::Init),
    /// Make organisations, keys and endpoints be as a file says
    Apply(apply::Apply),
    /// Manage organisations
    #[command(subcommand)]
    Orgs(orgs::Orgs),
    /// Show and change the tier catalogue
    #[command(subcommand)]
    Tiers(tiers::Tiers),
    /// Manage Top Dog API keys
    #[command(subcommand)]
    ApiKeys(api_keys::ApiKeys),
    /// Manage the customer's own keys for its providers
    #[command(subcommand)]
    ProviderKeys(provider_keys::ProviderKeys),
    /// Manage the customer's own OpenAI-compatible endpoints
    #[command(subcommand)]
    Endpoints(endpoints::Endpoints),
    /// Manage policies: which models may be used, and by what other names
    #[command(subcommand)]
    Policies(policies::Policies),
    /// Show what was used
    Usage(usage::Usage),
    /// Show what happened, request by request
    DebugLogs(usage::DebugLogs),
    /// Show today's limits and what is used of them
    Quota(usage::QuotaOf),
    /// Read and verify the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Rotate the keys that seal provider keys
    #[command(subcommand)]
    Vault(vault::Vault),
}

/// What needs no server.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Local {
    /// Look for what is wrong with the set-up; ends with 1 where something is
    Doctor(doctor::Doctor),
    /// Ask the server of the data folder whether it takes requests; ends with 0 where it does
    Health,
    /// Bring the schema of the configured database up to date, as a starting server does
    Migrate,
    /// Move an installation to another database
    #[command(subcommand)]
    Db(db::Db),
    /// Check and show the server's configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print completions for a shell
    Completions(manual::Completions),
    /// Print a manual page
    Man(manual::Man),
}

/// Does it, and says with which code the process ends. `root` is the whole command line's definition.
pub(crate) fn run(command: Command, globals: &Globals, root: clap::Command) -> ExitCode {
    let outcome = match command {
        Command::Online(online) => run_online(online, globals),
        Command::Local(Local::Doctor(doctor)) => wait_for(doctor::run(doctor, globals)),
        Command::Local(Local::Health) => wait_for(health::run(globals)),
        Command::Local(Local::Migrate) => wait_for(db::migrate(globals)),
        Command::Local(Local::Db(command)) => wait_for(db::run(&command, globals)),
        Command::Local(Local::Config(command)) => config::run(&command, globals),
        Command::Local(Local::Completions(completions)) => manual::completions(&completions, root),
        Command::Local(Local::Man(man)) => manual::man(&man, root),
    };
    match outcome {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            print::failure(&failure);
            failure.exit().into()
        }
    }
}

fn run_online(command: Online, globals: &Globals) -> Result<(), Failure> {
    if let Online::ProviderKeys(keys) = &command {
        keys.check()?;
    }
    let session = Session::open(globals)?;
    wait_for(ask(command, &session))
}

fn wait_for(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime: {error}")))?;
    runtime.block_on(Box::pin(work))
}

async fn ask(command: Online, session: &Session) -> Result<(), Failure> {
    match command {
        Online::Init(init) => init::run(init, session).await,
        Online::Apply(apply) => apply::run(apply, session).await,
        Online::Orgs(orgs) => orgs::run(orgs, session).await,
        Online::Tiers(tiers) => tiers::run(tiers, session).await,
        Online::ApiKeys(keys) => api_keys::run(keys, session).await,
        Online::ProviderKeys(keys) => provider_keys::run(keys, session).await,
        Online::Endpoints(endpoints) => endpoints::run(endpoints, session).await,
        Online::Policies(policies) => policies::run(policies, session).await,
        Online::Usage(usage) => usage::usage(usage, session).await,
        Online::DebugLogs(logs) => usage::debug_logs(logs, session).await,
        Online::Quota(quota) => usage::quota(quota, session).await,
        Online::Audit(audit) => audit::run(audit, session).await,
        Online::Vault(vault) => vault::run(vault, session).await,
    }
}
