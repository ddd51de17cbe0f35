use crate::pgbouncer::PgBouncer;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::future::Future;
use std::sync::Arc;
use topdog_domain::RecordId;
use topdog_domain::fakes::{MemoryLedger, MemoryStore};
use topdog_domain::ports::{
    ApiKeys, CapLedger, ChangeFeed, Endpoints, Idempotency, InstallationSecrets, MinuteLedger, OrgKeys,
    Organisations, Policies, ProviderKeys, QuotaLedger, RecordReader, RecordSink, SealedSecrets, Tiers,
    WrappedKeyCounts,
};
use topdog_store::{Store, StoreOptions};

/// Runs each test of a list on each engine, with a database of its own.
macro_rules! contract {
    ($($test:ident),+ $(,)?) => {
        mod fake {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::engines::on_fake(|ports| async move { super::$test(&ports).await }).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::engines::on_sqlite(|ports| async move { super::$test(&ports).await }).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::engines::on_postgres(|ports| async move { super::$test(&ports).await }).await;
            })+
        }
        mod pooled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::engines::behind_pooler(|ports| async move { super::$test(&ports).await }).await;
            })+
        }
    };
}
pub(crate) use contract;

/// All ports of an engine.
#[derive(Clone)]
pub(crate) struct Ports {
    pub(crate) api_keys: Arc<dyn ApiKeys>,
    pub(crate) caps: Arc<dyn CapLedger>,
    pub(crate) change_feed: Arc<dyn ChangeFeed>,
    pub(crate) endpoints: Arc<dyn Endpoints>,
    pub(crate) idempotency: Arc<dyn Idempotency>,
    pub(crate) installation_secrets: Arc<dyn InstallationSecrets>,
    pub(crate) ledger: Arc<dyn QuotaLedger>,
    pub(crate) minutes: Arc<dyn MinuteLedger>,
    pub(crate) org_keys: Arc<dyn OrgKeys>,
    pub(crate) organisations: Arc<dyn Organisations>,
    pub(crate) policies: Arc<dyn Policies>,
    pub(crate) provider_keys: Arc<dyn ProviderKeys>,
    pub(crate) reader: Arc<dyn RecordReader>,
    pub(crate) secrets: Arc<dyn SealedSecrets>,
    pub(crate) sink: Arc<dyn RecordSink>,
    pub(crate) tiers: Arc<dyn Tiers>,
    pub(crate) wrapped_key_counts: Arc<dyn WrappedKeyCounts>,
}

impl Ports {
    fn of<S, L>(store: S, ledger: L) -> Self
    where
        S: ApiKeys
            + ChangeFeed
            + Endpoints
            + Idempotency
            + InstallationSecrets
            + OrgKeys
            + Organisations
            + Policies
            + ProviderKeys
            + RecordReader
            + RecordSink
            + SealedSecrets
            + Tiers
            + WrappedKeyCounts
            + 'static,
        L: QuotaLedger + MinuteLedger + CapLedger + 'static,
    {
        let (store, ledger) = (Arc::new(store), Arc::new(ledger));
        Self {
            api_keys: store.clone(),
            caps: ledger.clone(),
            change_feed: store.clone(),
            endpoints: store.clone(),
            idempotency: store.clone(),
            installation_secrets: store.clone(),
            ledger: ledger.clone(),
            minutes: ledger,
            org_keys: store.clone(),
            organisations: store.clone(),
            policies: store.clone(),
            provider_keys: store.clone(),
            reader: store.clone(),
            secrets: store.clone(),
            sink: store.clone(),
            tiers: store.clone(),
            wrapped_key_counts: store,
        }
    }

    async fn open(url: &str) -> Self {
        Self::open_with(url, &StoreOptions::default()).await
    }

    async fn open_with(url: &str, options: &StoreOptions) -> Self {
        let store = Store::open(url, options).await.unwrap();
        store.migrate().await.unwrap();
        Self::of(store.clone(), store)
    }
}

pub(crate) async fn on_fake<F: Future<Output = ()>>(test: impl FnOnce(Ports) -> F) {
    test(Ports::of(MemoryStore::new(), MemoryLedger::new())).await;
}

pub(crate) async fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(Ports) -> F) {
    let folder = tempfile::tempdir().unwrap();
    test(Ports::open(&format!("sqlite://{}", folder.path().join("topdog.db").display())).await).await;
}

/// The database is dropped behind the test, whether it passes or not.
pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(Ports) -> F + Send + 'static,
) {
    let Some(server) = postgres_url() else { return };
    with_database(&server, |name| {
        let url = database_url(&server, name);
        async move { test(Ports::open(&url).await).await }
    })
    .await;
}

/// The same, through a pooler whose connections are shared by all transactions.
pub(crate) async fn behind_pooler<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(Ports) -> F + Send + 'static,
) {
    let Some(server) = postgres_url() else { return };
    let Some(pooler) = PgBouncer::before(&server) else { return };
    with_database(&server, |name| {
        let url = pooler.url(name);
        let options = StoreOptions { is_behind_pooler: true, ..StoreOptions::default() };
        async move { test(Ports::open_with(&url, &options).await).await }
    })
    .await;
}

async fn with_database<F: Future<Output = ()> + Send + 'static>(server: &str, test: impl FnOnce(&str) -> F) {
    let name = format!("topdog_{}", RecordId::new());
    execute(server, format!("CREATE DATABASE {name}")).await;
    let result = tokio::spawn(test(&name)).await;
    execute(server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    if let Err(failure) = result {
        std::panic::resume_unwind(failure.into_panic());
    }
}

async fn execute(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn database_url(server: &str, name: &str) -> String {
    let (address, options) = match server.split_once('?') {
        Some((address, options)) => (address, format!("?{options}")),
        None => (server, String::new()),
    };
    let (host, _) = address.rsplit_once('/').unwrap();
    format!("{host}/{name}{options}")
}

#[expect(clippy::disallowed_methods, reason = "a test learns from its environment where its Postgres is")]
fn postgres_url() -> Option<String> {
    let url = std::env::var("TOPDOG_TEST_POSTGRES_URL").ok();
    if url.is_none() {
        eprintln!("POSTGRES SKIPPED: set TOPDOG_TEST_POSTGRES_URL (scripts/test does)");
        assert!(std::env::var_os("CI").is_none(), "in CI nothing is skipped");
    }
    url
}
