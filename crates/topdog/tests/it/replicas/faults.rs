//! The fault matrix: three replicas under load, one fault, and what clients see, what is lost, how long it lasts.
//!
//! Every run asserts what is promised; `scripts/faults` writes what was seen into `docs/faults.md`.

use super::{Chance, Gateways, REPLICAS, Replicas, places, report, shared};
use crate::cable::{Cable, Wire};
use crate::cluster::Cluster;
use crate::engines::Database;
use crate::http::try_send;
use crate::server::{Server, Setup, Tenant, chat, management_call};
use crate::upstream::{Reply, Upstream};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, block_in_place};

/// How long a fault lasts that ends by itself.
const LASTS: Duration = Duration::from_secs(4);
const BEFORE: Duration = Duration::from_secs(1);
/// Without a failure for so long, it is over.
const CALM: Duration = Duration::from_secs(2);
const CLIENTS_OF_EACH: usize = 3;

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
enum Fault {
    PostgresKilled,
    PostgresRestarted,
    PostgresPaused,
    PostgresSlow,
    PostgresCutOff,
    ReplicaKilled,
    ReplicaPaused,
    UpstreamSilent,
}

macro_rules! matrix {
    ($($name:ident = $place:literal $fault:ident $settings:expr;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            meet($place, stringify!($name), Fault::$fault, &$settings).await;
        }
    )+};
}

matrix! {
    postgres_killed = 1 PostgresKilled [];
    postgres_restarted = 2 PostgresRestarted [];
    postgres_paused = 3 PostgresPaused [];
    postgres_answers_200_ms_late = 4 PostgresSlow [];
    network_to_postgres_cut = 5 PostgresCutOff [];
    network_to_postgres_cut_for_longer_than_regulated_may_be_served = 6 PostgresCutOff ["store.stale_after_seconds=2"];
    one_replica_killed = 7 ReplicaKilled [];
    one_replica_paused = 8 ReplicaPaused [];
    provider_black_holed = 9 UpstreamSilent ["upstream.head_timeout_ms=1000"];
}

impl Fault {
    fn is_of_postgres(self) -> bool {
        matches!(self, Self::PostgresKilled | Self::PostgresRestarted | Self::PostgresPaused)
    }
}

/// What one request was to its client.
#[derive(Debug, Clone)]
struct Seen {
    of: &'static str,
    asked: Instant,
    answered: Instant,
    end: String,
    /// Of a model request that was answered whole.
    request: Option<String>,
}

impl Seen {
    fn is_well(&self) -> bool {
        self.end == "200"
    }
}

async fn meet(place: u32, name: &str, fault: Fault, settings: &[&str]) {
    let cluster = if fault.is_of_postgres() { Cluster::start() } else { None };
    let database = match &cluster {
        Some(cluster) => Database::of(&cluster.url()).await,
        None if fault.is_of_postgres() => return,
        None => match Database::postgres().await {
            Some(database) => database,
            None => return,
        },
    };
    let wire = database.wire().await;
    let upstream = Upstream::start(Reply::Completion).await;
    let places = places(REPLICAS);
    let setup = database.keep_behind(&wire, Setup::with_upstream(&upstream).set(settings));
    let mut replicas = Replicas::start_with(&places, shared(&places, &setup)).await;
    replicas.server(0).tier_with_llm_requests("LARGE", 100_000).await;
    let general = replicas.server(0).organisation("general", "LARGE").await;
    let medical = replicas.server(0).organisation("medical", "ENTERPRISE-STANDARD").await;
    for replica in 0..REPLICAS {
        let knows =
            async |tenant: &Tenant| replicas.ask(replica, &tenant.chat(&chat())).await.status() == 200;
        let knows_both = async || knows(&general).await && knows(&medical).await;
        replicas.server(replica).until("it knows both keys", knows_both).await;
    }

    let load = Load::start(&replicas, &general, &medical);
    tokio::time::sleep(BEFORE).await;
    let begun = Instant::now();
    let bed = Bed { cluster: cluster.as_ref(), wire: &wire, upstream: &upstream };
    bed.suffer(fault, &mut replicas).await;
    let ended = Instant::now();
    load.is_calm_again(ended).await;
    let seen = load.stop().await;

    let recorded = recorded(&replicas, fault).await;
    let acknowledged: Vec<&Seen> = seen.iter().filter(|seen| seen.request.is_some()).collect();
    let is_lost = |seen: &&&Seen| seen.request.as_ref().and_then(|id| recorded.get(id)) != Some(&1);
    let lost: Vec<&&Seen> = acknowledged.iter().filter(is_lost).collect();
    let failed_last = seen.iter().filter(|seen| !seen.is_well()).map(|seen| seen.answered).max();
    let recovered = failed_last.map_or(Duration::ZERO, |last| last.saturating_duration_since(ended));
    let during = |of: &str| {
        let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
        let within =
            seen.iter().filter(|seen| seen.of == of && seen.answered >= begun && seen.asked <= ended);
        within.for_each(|seen| *ends.entry(seen.end.as_str()).or_default() += 1);
        ends.iter().map(|(end, count)| format!("{count} × {end}")).collect::<Vec<_>>().join(", ")
    };
    let slowest = |of: &str| {
        let well = seen.iter().filter(|seen| seen.of == of && seen.is_well());
        well.map(|seen| (seen.answered - seen.asked).as_millis()).max().unwrap_or_default()
    };
    let row = json!({
        "place": place, "fault": name.replace('_', " "), "settings": settings, "lasted_ms": (ended - begun).as_millis(),
        "general": during("general"), "medical": during("medical"), "management": during("management"),
        "slowest_ms": slowest("general"), "acknowledged": acknowledged.len(), "lost": lost.len(),
        "recovered_ms": recovered.as_millis(),
    });
    eprintln!("{row}");
    report(&format!("{place:02}"), &row);
    assert!(lost.is_empty(), "{} acknowledged records are lost, the first is {:?}", lost.len(), lost.first());
    fault.is_as_promised(&seen, begun, ended, recovered);
}

impl Fault {
    fn is_as_promised(self, seen: &[Seen], begun: Instant, ended: Instant, recovered: Duration) {
        assert!(recovered < Duration::from_secs(15), "it took {recovered:?} until all was well");
        let failed =
            seen.iter().filter(|seen| !seen.is_well() && seen.asked > begun && seen.answered < ended);
        let mut failed_of: HashMap<&str, usize> = HashMap::new();
        failed.for_each(|seen| *failed_of.entry(seen.of).or_default() += 1);
        let served = |of| !failed_of.contains_key(of);
        match self {
            // Leases, opened keys and the directory are there.
            Self::PostgresKilled
            | Self::PostgresRestarted
            | Self::PostgresPaused
            | Self::PostgresSlow
            | Self::PostgresCutOff => assert!(served("general"), "{failed_of:?}"),
            Self::ReplicaKilled | Self::ReplicaPaused => {
                let ends: Vec<&str> = seen.iter().map(|seen| seen.end.as_str()).collect();
                let others = ends.iter().filter(|end| !matches!(**end, "200" | "broken" | "refused"));
                assert_eq!(others.count(), 0, "nobody else's requests fail: {failed_of:?}");
            }
            Self::UpstreamSilent => {
                let of_models = seen.iter().filter(|seen| seen.of != "management" && !seen.is_well());
                assert!(of_models.clone().count() > 0, "the provider was missed");
                of_models.for_each(|seen| assert_eq!(seen.end, "504 upstream_timeout"));
                assert!(served("management"), "{failed_of:?}");
            }
        }
    }
}

/// What a fault is done to.
struct Bed<'a> {
    cluster: Option<&'a Cluster>,
    wire: &'a Wire,
    upstream: &'a Upstream,
}

impl Bed<'_> {
    /// From its beginning to its end.
    async fn suffer(&self, fault: Fault, replicas: &mut Replicas<'_>) {
        let lasts = || tokio::time::sleep(LASTS);
        match fault {
            Fault::PostgresKilled => {
                self.cluster.unwrap().kill();
                lasts().await;
                block_in_place(|| self.cluster.unwrap().start_again());
            }
            Fault::PostgresRestarted => block_in_place(|| {
                self.cluster.unwrap().stop();
                self.cluster.unwrap().start_again();
            }),
            Fault::PostgresPaused => {
                self.cluster.unwrap().pause(true);
                lasts().await;
                self.cluster.unwrap().pause(false);
            }
            Fault::PostgresSlow => self.is(Cable::Slow(Duration::from_millis(200))).await,
            Fault::PostgresCutOff => self.is(Cable::Cut).await,
            Fault::ReplicaKilled => {
                replicas.servers[1].take().unwrap().kill();
                lasts().await;
                replicas.start_again(1).await;
            }
            Fault::ReplicaPaused => {
                replicas.server(1).signal(Signal::STOP);
                lasts().await;
                replicas.server(1).signal(Signal::CONT);
            }
            Fault::UpstreamSilent => {
                self.upstream.reply_with(Reply::Silence);
                lasts().await;
                self.upstream.reply_with(Reply::Completion);
            }
        }
    }

    async fn is(&self, cable: Cable) {
        self.wire.be(cable);
        tokio::time::sleep(LASTS).await;
        self.wire.be(Cable::Whole);
    }
}

/// Clients of both organisations and an operator, who ask any replica and never look whether it is well.
struct Load {
    seen: Arc<Mutex<Vec<Seen>>>,
    is_over: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Load {
    fn start(replicas: &Replicas<'_>, general: &Tenant, medical: &Tenant) -> Self {
        let (seen, is_over, mut clients) = (Arc::default(), Arc::<AtomicBool>::default(), JoinSet::new());
        let regulated = String::from_utf8(medical.chat(&chat())).unwrap();
        let regulated = regulated.replacen("\r\n", "\r\nx-data-segment: medical\r\n", 1).into_bytes();
        // A token is its node's own.
        let tokens = (0..REPLICAS).map(|replica| replicas.server(replica).operator_token.clone());
        let manage: Vec<_> =
            tokens.map(|token| management_call(&token, "GET", "/organisations", &Value::Null)).collect();
        let everywhere = |request: Vec<u8>| vec![request; REPLICAS];
        let kinds = [
            ("general", everywhere(general.chat(&chat())), CLIENTS_OF_EACH),
            ("medical", everywhere(regulated), CLIENTS_OF_EACH),
            ("management", manage, 1),
        ];
        for (of, requests, count) in kinds {
            for client in 0..count {
                let client = Client {
                    of,
                    requests: requests.clone(),
                    gateways: replicas.gateways.clone(),
                    seen: Arc::clone(&seen),
                    is_over: is_over.clone(),
                    chance: Chance::new((client as u64 + 1) * 7_919),
                };
                clients.spawn(client.run());
            }
        }
        Self { seen, is_over, clients }
    }

    /// Waits until nothing has failed for a while.
    async fn is_calm_again(&self, ended: Instant) {
        let deadline = ended + Duration::from_secs(40);
        loop {
            let failed = self.seen.lock().unwrap().iter().filter(|s| !s.is_well()).map(|s| s.answered).max();
            if failed.unwrap_or(ended).max(ended).elapsed() > CALM || Instant::now() > deadline {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(self) -> Vec<Seen> {
        self.is_over.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
        self.seen.lock().unwrap().clone()
    }
}

struct Client {
    of: &'static str,
    /// One for each replica.
    requests: Vec<Vec<u8>>,
    gateways: Gateways,
    seen: Arc<Mutex<Vec<Seen>>>,
    is_over: Arc<AtomicBool>,
    chance: Chance,
}

impl Client {
    async fn run(mut self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let replica = self.chance.below(REPLICAS as u64) as usize;
            let asked = Instant::now();
            let answer = try_send(self.gateways.of(replica), &self.requests[replica]).await;
            let (end, request) = match &answer {
                None => ("broken".to_owned(), None),
                Some(answer) if answer.status() == 200 => {
                    ("200".to_owned(), answer.head.header("x-request-id").map(str::to_owned))
                }
                Some(answer) => (format!("{} {}", answer.status(), answer.code()), None),
            };
            let request = request.filter(|_| self.of != "management");
            self.seen.lock().unwrap().push(Seen {
                of: self.of,
                asked,
                answered: Instant::now(),
                end,
                request,
            });
            tokio::time::sleep(self.chance.millis(10, 50)).await;
        }
    }
}

/// How often each request is recorded, once everything is shipped.
async fn recorded(replicas: &Replicas<'_>, fault: Fault) -> HashMap<String, usize> {
    for replica in 0..REPLICAS {
        let server = replicas.server(replica);
        let is_shipped =
            async || server.admin("/metrics").await.text().contains("topdog_spool_lag_bytes 0\n");
        server.until("everything spooled is shipped", is_shipped).await;
    }
    let mut times: HashMap<String, usize> = HashMap::new();
    for org in ["general", "medical"] {
        for event in replicas.server(0).usage_events(org).await {
            *times.entry(event["request"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        verified(replicas.server(0), org, fault);
    }
    times
}

fn verified(server: &Server<'_>, org: &str, fault: Fault) {
    let told = server.cli(&["audit", "verify", "--org", org]);
    assert!(told.status.success(), "{fault:?}: {}", String::from_utf8_lossy(&told.stderr));
}
