use anyhow::Context as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use topdog_gateway::Gateway;

/// The threads that serve model requests: each has a runtime, a listener and connections of its own.
pub(super) struct DataPlane {
    stop: watch::Sender<bool>,
    abandon: watch::Sender<bool>,
    /// Closed when the last thread has ended.
    ended: mpsc::Receiver<()>,
}

/// Data-plane threads that wait for what they are to serve. They are made first of all, before the thread that
/// makes all others gives way: a thread has the priority of its maker.
pub(super) struct WaitingThreads(Vec<std::sync::mpsc::Sender<Thread>>);

impl WaitingThreads {
    /// So many threads.
    pub(super) fn spawn(count: usize) -> anyhow::Result<Self> {
        let spawn = |number| {
            let (give, take) = std::sync::mpsc::channel::<Thread>();
            std::thread::Builder::new()
                .name(format!("gateway-{number}"))
                .spawn(move || take.recv().map_or((), Thread::run))
                .context("a data-plane thread can't be started")?;
            Ok(give)
        };
        (0..count).map(spawn).collect::<anyhow::Result<_>>().map(Self)
    }
}

impl DataPlane {
    /// Lets each thread serve one listener.
    pub(super) fn start(
        threads: WaitingThreads,
        gateway: &Arc<Gateway>,
        listeners: Vec<TcpListener>,
        tls: Option<&Arc<rustls::ServerConfig>>,
    ) -> anyhow::Result<Self> {
        let (stop, _) = watch::channel(false);
        let (abandon, _) = watch::channel(false);
        let (alive, ended) = mpsc::channel(1);
        for (waiting, listener) in threads.0.into_iter().zip(listeners) {
            let thread = Thread {
                gateway: gateway.clone(),
                listener,
                tls: tls.cloned(),
                stop: stop.subscribe(),
                abandon: abandon.subscribe(),
                _alive: alive.clone(),
            };
            waiting
                .send(thread)
                .map_err(|_| anyhow::anyhow!("a data-plane thread has ended before it served"))?;
        }
        Ok(Self { stop, abandon, ended })
    }

    /// Waits until all threads have ended by themselves, which they do only when something is broken.
    pub(super) async fn ended(&mut self) {
        while self.ended.recv().await.is_some() {}
    }

    /// Accepts nothing more and lets running requests end; those that take longer than `patience` are cut off: they
    /// are told so where they can be, and settle.
    pub(super) async fn drain(mut self, patience: Duration) {
        self.stop.send_replace(true);
        if tokio::time::timeout(patience, self.ended()).await.is_err() {
            tracing::warn!("requests were still running when the drain timeout ended; they are cut off");
            self.abandon.send_replace(true);
            self.ended().await;
        }
    }
}

pub(super) struct Thread {
    gateway: Arc<Gateway>,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    stop: watch::Receiver<bool>,
    abandon: watch::Receiver<bool>,
    _alive: mpsc::Sender<()>,
}

impl Thread {
    fn run(self) {
        let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "a data-plane thread has no runtime"),
        };
        let Self { gateway, listener, tls, stop, abandon, _alive } = self;
        runtime.block_on(async move {
            let listener = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => return tracing::error!(%error, "a data-plane thread can't listen"),
            };
            let pulse = tokio::task::spawn_local(pulse());
            gateway.serve(listener, tls, stop, abandon).await;
            pulse.abort();
        });
        // What still runs is dropped with its runtime, and settles.
        drop(runtime);
    }
}

/// Keeps a timer that is always the next to fire: a new one that would be makes the runtime wake itself by a
/// system call, and every request sets some.
async fn pulse() {
    let mut beat = tokio::time::interval(BEAT);
    loop {
        beat.tick().await;
    }
}

const BEAT: Duration = Duration::from_millis(50);
