//! Three replicas of one installation on one Postgres, of which any may be killed, paused or started at any time.

mod coherence;
mod faults;
mod limit;
mod rolling;
mod starting;
mod touch;

use crate::engines::Database;
use crate::http::{Answer, try_send};
use crate::server::{Place, Server, Setup};
use crate::upstream::Upstream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::Value;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const REPLICAS: usize = 3;

/// Running replicas, each with a folder of its own, with the root key in common.
struct Replicas<'a> {
    places: &'a [Place],
    setup: Setup,
    /// None where one is being started again.
    servers: Vec<Option<Server<'a>>>,
    gateways: Gateways,
}

/// Where the replicas are just now, as a load balancer that asks nobody would know it.
#[derive(Clone, Default)]
struct Gateways(Arc<Mutex<Vec<SocketAddr>>>);

impl Gateways {
    fn of(&self, replica: usize) -> SocketAddr {
        self.0.lock().unwrap()[replica]
    }
}

fn places(count: usize) -> Vec<Place> {
    (0..count).map(|_| Place::new()).collect()
}

impl<'a> Replicas<'a> {
    /// The first one begins alone, since the tests' other setups do so too; see [`starting`] for all at once.
    async fn start(places: &'a [Place], database: &Database, upstream: &Upstream, settings: &[&str]) -> Self {
        Self::start_with(places, shared(places, &database.keep(Setup::with_upstream(upstream)).set(settings)))
            .await
    }

    async fn start_with(places: &'a [Place], setup: Setup) -> Self {
        let (gateways, mut servers) = (Gateways::default(), Vec::new());
        for place in places {
            let server = place.start(&setup).await;
            gateways.0.lock().unwrap().push(server.gateway);
            servers.push(Some(server));
        }
        Self { places, setup, servers, gateways }
    }

    fn server(&self, replica: usize) -> &Server<'a> {
        self.servers[replica].as_ref().unwrap()
    }

    async fn kill_and_start(&mut self, replica: usize) {
        self.servers[replica].take().unwrap().kill();
        self.start_again(replica).await;
    }

    async fn start_again(&mut self, replica: usize) {
        let server = self.places[replica].start(&self.setup).await;
        self.gateways.0.lock().unwrap()[replica] = server.gateway;
        self.servers[replica] = Some(server);
    }

    async fn pause(&self, replica: usize, time: Duration) {
        self.server(replica).signal(Signal::STOP);
        tokio::time::sleep(time).await;
        self.server(replica).signal(Signal::CONT);
    }

    /// A model request's answer by one of them.
    async fn ask(&self, replica: usize, request: &[u8]) -> Answer {
        try_send(self.server(replica).gateway, request).await.expect("an answer")
    }
}

/// The setup with a root key that all of these places share.
fn shared(places: &[Place], setup: &Setup) -> Setup {
    let key: Vec<u8> = (0..2).flat_map(|_| *topdog_domain::RequestId::new().uuid().as_bytes()).collect();
    let file = places[0].path().join("shared-root.key");
    std::fs::write(&file, format!("id root-shared\nv1 {}\n", STANDARD.encode(&key))).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    for place in places {
        place.secrets.add_at("the root key", &key, [file.clone()]);
    }
    setup.clone().set(&[&format!("vault.root_key=file:{}", file.display())])
}

/// Keeps what was seen where `scripts/faults` finds it, if that has asked for it.
#[expect(clippy::disallowed_methods, reason = "a script says where what was seen is to be written")]
fn report(name: &str, seen: &Value) {
    if let Some(folder) = std::env::var_os("TOPDOG_FAULTS_DIR") {
        std::fs::write(Path::new(&folder).join(format!("{name}.json")), seen.to_string()).unwrap();
    }
}

/// Numbers that look like chance, and come again with the same seed.
struct Chance(u64);

impl Chance {
    /// With a seed that is said, so that a failure can be looked at.
    fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}
