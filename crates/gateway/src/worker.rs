//! What one data-plane thread has to itself, and what all of them share.

use crate::config::{GatewayConfig, GatewayParts};
use crate::cutoff::Cutoff;
use crate::edge;
use crate::edge::places::Places;
use crate::forward::Resets;
use crate::identity::{AddressText, RequestIds};
use crate::routes::Routes;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use topdog_domain::ports::SpoolHandle;
use topdog_egress::{Pool, PoolSettings};

/// The data plane, shared by its threads.
pub struct Gateway {
    pub(crate) config: GatewayConfig,
    pub(crate) parts: GatewayParts,
    /// Open client connections of all threads.
    pub(crate) places: Places,
}

impl Gateway {
    /// A data plane that serves nothing yet.
    #[must_use]
    pub fn new(config: GatewayConfig, parts: GatewayParts) -> Arc<Self> {
        let places = Places::new(config.max_connections, config.max_connections_per_ip);
        Arc::new(Self { config, parts, places })
    }

    /// Serves one listener on the present thread, until `stop` turns true and the last answer is sent. What still
    /// runs when `abandon` turns true is cut off: it is told so, where it can be, and has a moment to say it.
    ///
    /// The future must run on a `LocalRuntime`, or inside a `LocalSet` of a current-thread runtime: a thread shares no connection,
    /// neither a client's nor a provider's, with another.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        stop: watch::Receiver<bool>,
        mut abandon: watch::Receiver<bool>,
    ) {
        let worker = Rc::new(Worker::new(self));
        let mut serving = pin!(edge::serve(worker.clone(), listener, tls, stop));
        tokio::select! {
            () = &mut serving => return,
            Ok(_) = abandon.wait_for(|is_over| *is_over) => worker.cutoff.come(),
        }
        let _ = timeout(LAST_WORDS, serving).await;
    }
}

/// What is cut off has so long to say so.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// One data-plane thread.
pub(crate) struct Worker {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) pool: Pool,
    pub(crate) spool: Box<dyn SpoolHandle>,
    pub(crate) ids: RequestIds,
    pub(crate) addresses: AddressText,
    pub(crate) routes: Routes,
    pub(crate) resets: Resets,
    pub(crate) cutoff: Cutoff,
}

impl Worker {
    fn new(gateway: Arc<Gateway>) -> Self {
        let settings = PoolSettings {
            head_timeout: gateway.config.upstream_head_timeout,
            send_idle_timeout: gateway.config.upstream_idle_timeout,
            ..PoolSettings::default()
        };
        Self {
            pool: Pool::new(gateway.parts.egress.clone(), settings),
            spool: gateway.parts.spool.handle(),
            ids: RequestIds::new(),
            addresses: AddressText::default(),
            routes: Routes::new(&gateway.config.providers),
            resets: Resets::new(),
            cutoff: Cutoff::default(),
            gateway,
        }
    }

    pub(crate) fn config(&self) -> &GatewayConfig {
        &self.gateway.config
    }

    pub(crate) fn parts(&self) -> &GatewayParts {
        &self.gateway.parts
    }
}
