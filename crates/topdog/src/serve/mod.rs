//! `topdog serve`: everything is opened, then it serves, then it is closed; [`serve`] is that in order.

mod admin;
mod announce;
mod arguments;
mod background;
pub(crate) mod clock;
mod control_plane;
mod data_dir;
mod data_plane;
mod demo;
mod health;
mod listen_file;
mod listeners;
mod logging;
mod manual;
mod node;
mod node_metrics;
mod open_files;
mod operator_token;
mod pages;
mod private_file;
mod root_key;
mod signals;
mod tls;
mod workers;

pub(crate) use arguments::ServeArguments;
pub(crate) use data_dir::DataDir;
pub(crate) use node::open_store;

use crate::config::{self, Config, ConfigError, Environment, Sources};
use admin::Admin;
use anyhow::Context as _;
use control_plane::Control;
use data_plane::{DataPlane, WaitingThreads};
use demo::TemporaryDir;
use health::Health;
use listen_file::ListenFile;
use listeners::Listeners;
use node::Node;
use node_metrics::NodeMetrics;
use signals::Signals;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use topdog_gateway::Gateway;
use topdog_store::spool::{FileSpool, RecorderPlace};
use workers::Workers;

/// Where the server is told to find its things.
#[derive(Debug, Clone)]
pub(crate) struct Whereabouts {
    /// The data folder that was named, if one was.
    pub(crate) named_data_dir: Option<PathBuf>,
    /// The data folder otherwise.
    pub(crate) default_data_dir: PathBuf,
    /// The configuration file that was named.
    pub(crate) config: Option<PathBuf>,
}

/// Runs the server until it is told to stop.
pub(crate) fn run(arguments: &ServeArguments, whereabouts: &Whereabouts) -> ExitCode {
    let ended = prepare(arguments, whereabouts);
    match &ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(error) => announce::failure(error),
    }
    let is_wrong_usage = ended.is_err_and(|error| error.is::<ConfigError>());
    if is_wrong_usage { ExitCode::from(WRONG_USAGE) } else { ExitCode::FAILURE }
}

fn prepare(arguments: &ServeArguments, whereabouts: &Whereabouts) -> anyhow::Result<()> {
    pages::take_small();
    let environment = Environment::of_process();
    let temporary = match &whereabouts.named_data_dir {
        None if arguments.demo => Some(TemporaryDir::new()?),
        _ => None,
    };
    let data_dir = match (&temporary, &whereabouts.named_data_dir) {
        (Some(temporary), _) => temporary.path(),
        (None, Some(named)) => named,
        (None, None) => &whereabouts.default_data_dir,
    };
    // Paths of the configuration begin with it, and must not depend on where it is asked from.
    let data_dir = std::path::absolute(data_dir)?;
    let sources = Sources { data_dir, file: whereabouts.config.clone(), flags: arguments.flags() };
    let mut config = config::load(&sources, &environment)?.config;
    if temporary.is_some() {
        // What is recorded goes with the folder, so that none of it need outlive the process.
        config.spool.recorder = RecorderPlace::Off;
    }
    start(config, &environment, arguments.demo)
}

const WRONG_USAGE: u8 = 2;

fn start(config: Config, environment: &Environment, is_demo: bool) -> anyhow::Result<()> {
    topdog_vault::harden_process()?;
    let _logging = logging::start(&config.log)?;
    open_files::raise_limit(config.server.max_connections);
    let data_dir = DataDir::open(&config.data_dir)?;
    ListenFile::clear(&data_dir.run());
    let tls = config.server.tls.as_ref().map(tls::server_config).transpose()?;
    let listeners = Listeners::bind(&config.server, config.admin_listen)?;
    // Requests, and the disk that their records wait for, go before everything that is started below.
    let spool = node::spool(&config)?;
    let threads = WaitingThreads::spawn(listeners.gateway.len())?;
    background::give_way();
    let start = Start { config, environment, data_dir: &data_dir, is_demo, tls, listeners, spool, threads };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .context("the control plane's runtime can't be started")?;
    let served = runtime.block_on(Box::pin(serve(start)));
    // Whatever a management call still does is of no use to anyone now.
    runtime.shutdown_background();
    served
}

/// For the management API, the workers and the admin listener; model requests have threads of their own.
const CONTROL_THREADS: usize = 2;

/// What a server starts from.
struct Start<'a> {
    config: Config,
    environment: &'a Environment,
    data_dir: &'a DataDir,
    is_demo: bool,
    tls: Option<Arc<rustls::ServerConfig>>,
    listeners: Listeners,
    spool: Arc<FileSpool>,
    threads: WaitingThreads,
}

async fn serve(start: Start<'_>) -> anyhow::Result<()> {
    let Start { config, environment, data_dir, is_demo, tls, listeners, spool, threads } = start;
    let mut signals = Signals::listen()?;
    let (node, follower) = Node::open(config, environment, data_dir, &listeners, spool).await?;
    let health = Arc::new(Health::new(&node, &follower));
    let api = node.platform().router().merge(manual::router());
    let workers = Workers::start(&node, follower);

    let url = listen_file::url(listeners.gateway_address, tls.is_some());
    welcome(&node, &api, &url, data_dir.path(), is_demo).await?;

    let control = Control { router: api, runtime: tokio::runtime::Handle::current(), health: health.clone() };
    let gateway = Gateway::new(node.gateway_config(), node.gateway_parts(Arc::new(control))?);
    let mut data_plane = DataPlane::start(threads, &gateway, listeners.gateway, tls.as_ref())?;
    let node_metrics = NodeMetrics::new(&node);
    let admin = Admin { health: health.clone(), metrics: node.metrics.clone(), node_metrics };
    let admin_listener = tokio::net::TcpListener::from_std(listeners.admin)?;
    let admin = tokio::spawn(admin.serve(admin_listener));
    let listen_file = ListenFile::write(
        &data_dir.run(),
        listeners.gateway_address,
        listeners.admin_address,
        tls.is_some(),
    )?;
    health.set_serving(true);
    tracing::info!(gateway = %listeners.gateway_address, admin = %listeners.admin_address, "serving");

    let is_broken = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "stopping: running requests may end, a second signal ends them at once");
            false
        }
        () = data_plane.ended() => {
            tracing::error!("all data-plane threads have ended; stopping");
            true
        }
    };

    health.set_serving(false);
    drop(listen_file);
    tokio::spawn(async move {
        let signal = signals.next().await;
        tracing::warn!(signal, "stopped at once");
        std::process::exit(1);
    });
    data_plane.drain(node.config.server.drain_timeout).await;
    admin.abort();
    close(&node, workers).await;
    anyhow::ensure!(!is_broken, "the data plane ended by itself; the log says why");
    Ok(())
}

/// Says what to do next; a demo is prepared first.
async fn welcome(
    node: &Node,
    api: &axum::Router,
    url: &str,
    data_dir: &Path,
    is_demo: bool,
) -> anyhow::Result<()> {
    if node.config.is_test_provider_enabled {
        tracing::warn!("the test provider is enabled: test/echo answers without any provider");
    }
    if is_demo {
        let key = demo::prepare(api, &node.operator_token, data_dir).await?;
        announce::demo(url, &key, data_dir);
    } else if node.is_empty() {
        announce::first_start(url, data_dir);
    } else {
        announce::start(url);
    }
    Ok(())
}

/// Leases go back, records to the disk and as far as possible to the database; what can't be shipped now is
/// shipped after the next start.
async fn close(node: &Node, workers: Workers) {
    if tokio::time::timeout(node::LAST_WORDS, node.return_leases()).await.is_err() {
        tracing::warn!("the database does not answer; leases are lost until the day's end");
    }
    if let Err(error) = node.spool.close().await {
        tracing::error!(%error, "records could not be written to the spool");
    }
    workers.stop().await;
    node.store.close().await;
    tracing::info!("stopped");
}
