//! Billing, logs and metrics delay no request: with each of them stuck, clients notice nothing.
//!
//! These tests run alone (.config/nextest.toml): they compare times.

use crate::cable::Cable;
use crate::engines::Database;
use crate::http::{Line, request};
use crate::server::{Place, Server, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CLIENTS: usize = 4;
const PACE: Duration = Duration::from_millis(8);
/// Longer than an opened key is fresh.
const SPELL: Duration = Duration::from_millis(2500);
const KEYS_ARE_FRESH: &str = "vault.cache_ttl_seconds=1";
/// A machine that is busy with other things may be at fault once, but hardly each time.
const ATTEMPTS: usize = 3;
/// That many fill a pipe with their log several times over.
const MOST_SPELLS: usize = 10;

/// The 99th percentile of what requests take, over a spell of paced load.
async fn p99(server: &Server<'_>, tenant: &Tenant) -> Duration {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (mut line, request) = (server.line().await, tenant.chat(&chat()));
        clients.spawn(async move {
            let (begun, mut took) = (Instant::now(), Vec::new());
            while begun.elapsed() < SPELL {
                let sent = Instant::now();
                line.send(&request).await;
                let answer = line.answer().await.expect("an answer");
                assert_eq!(answer.status(), 200, "{}", answer.text());
                took.push(sent.elapsed());
                tokio::time::sleep(PACE.saturating_sub(sent.elapsed())).await;
            }
            took
        });
    }
    let mut took: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    took.sort_unstable();
    assert!(took.len() > 100, "there was load: {}", took.len());
    took[took.len() * 99 / 100]
}

/// Compares a spell in which something is stuck with the one before it.
async fn is_undelayed(
    server: &Server<'_>,
    tenant: &Tenant,
    mut stick: impl AsyncFnMut(),
    mut loosen: impl AsyncFnMut(),
) {
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let before = p99(server, tenant).await;
        stick().await;
        let meanwhile = p99(server, tenant).await;
        loosen().await;
        if meanwhile <= before * 3 + Duration::from_millis(20) {
            return;
        }
        seen.push((before, meanwhile));
    }
    panic!("requests waited: p99 before and meanwhile {seen:?}");
}

async fn tenant(server: &Server<'_>) -> Tenant {
    server.organisation("acme", "ENTERPRISE-STANDARD").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_server_that_hangs_delays_nobody() {
    let Some(database) = Database::postgres().await else { return };
    let wire = database.wire().await;
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let setup = Setup::with_upstream(&upstream).set(&[KEYS_ARE_FRESH]);
    let server = place.start(&database.keep_behind(&wire, setup)).await;
    let acme = tenant(&server).await;
    let (stick, loosen) = (async || wire.be(Cable::Silent), async || wire.be(Cable::Whole));
    is_undelayed(&server, &acme, stick, loosen).await;
    let is_shipped = async || server.admin("/metrics").await.text().contains("topdog_spool_lag_bytes 0\n");
    server.until("everything spooled is shipped", is_shipped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_file_that_another_has_locked_delays_nobody() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream).set(&[KEYS_ARE_FRESH])).await;
    let acme = tenant(&server).await;
    let file = SqliteConnectOptions::new()
        .filename(place.data_dir().join("topdog.db"))
        .busy_timeout(Duration::from_secs(20));
    let other = tokio::sync::Mutex::new(SqliteConnection::connect_with(&file).await.unwrap());
    let tell = async |statement: &'static str| {
        sqlx::query(statement).execute(&mut *other.lock().await).await.unwrap();
    };
    is_undelayed(&server, &acme, async || tell("BEGIN IMMEDIATE").await, async || tell("ROLLBACK").await)
        .await;
    other.into_inner().close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_delays_nobody() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let quiet = place.start(&Setup::with_upstream(&upstream).set(&["log.level=trace"])).await;
    let acme = tenant(&quiet).await;
    let mut before = Vec::new();
    for _ in 0..ATTEMPTS {
        before.push(p99(&quiet, &acme).await);
    }
    assert!(quiet.stop().success());
    let before = *before.iter().max().unwrap();

    let unread = Setup::with_upstream(&upstream).set(&["log.level=trace"]).unread();
    let server = place.start(&unread).await;
    let mut spells = 0;
    while !server.has_full_pipe() {
        p99(&server, &acme).await;
        spells += 1;
        assert!(spells < MOST_SPELLS, "the log was never stuck");
    }
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let meanwhile = p99(&server, &acme).await;
        if meanwhile <= before * 3 + Duration::from_millis(20) {
            return server.kill();
        }
        seen.push(meanwhile);
    }
    panic!("requests waited: p99 {before:?} with a reader, {seen:?} without");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scrapers_that_read_a_byte_at_a_time_delay_nobody() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = tenant(&server).await;
    let admin = server.admin;
    let scrapers = std::sync::Mutex::new(Vec::new());
    let stick = async || {
        for _ in 0..8 {
            let mut line = Line::connect(admin).await;
            line.send(request("GET", "/metrics", &[], b"")).await;
            scrapers.lock().unwrap().push(tokio::spawn(async move {
                while line.byte().await {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }));
        }
    };
    let loosen = async || scrapers.lock().unwrap().drain(..).for_each(|scraper| scraper.abort());
    is_undelayed(&server, &acme, stick, loosen).await;
}
