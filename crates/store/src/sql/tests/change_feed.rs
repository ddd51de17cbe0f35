use super::super::engine::on_engine;
use super::bed::{Bed, on_both, with_postgres};
use futures_util::future::join_all;
use std::time::Duration;
use topdog_domain::OrgId;
use topdog_domain::fakes::samples;
use topdog_domain::ports::{
    ApiKeys as _, ChangeFeed as _, Endpoints as _, OrgKeys, Organisations as _, ProviderKeys as _,
    QuotaLedger as _,
};
use topdog_domain::tenant::KeySource;
use topdog_domain::tier::Limit;

on_both! {
    async fn no_change_is_committed_behind_a_later_one(bed: &Bed) {
        let orgs = join_all((0..10).map(|i| async move { bed.organisation(&format!("org {i}")).await.id })).await;
        let tasks = (0..100).map(|i| {
            let (store, org) = (bed.store.clone(), orgs[i % 10]);
            tokio::spawn(async move {
                let endpoint = samples::endpoint(org, &format!("e{i}"));
                store.endpoint_create(&endpoint, &samples::audit(org, "endpoint.create")).await.unwrap();
            })
        });
        let changes = tokio::spawn(join_all(tasks));
        let mut seen = 0;
        while seen < 110 {
            for change in bed.store.changes_since(seen).await.unwrap() {
                assert_eq!(change.seq, seen + 1, "one that was passed over would never be seen");
                seen = change.seq;
            }
            tokio::task::yield_now().await;
        }
        assert!(changes.await.unwrap().iter().all(Result::is_ok));
        assert_eq!(bed.store.newest_change().await.unwrap(), 110);
    }

    async fn all_and_one_are_told_alike(bed: &Bed) {
        let mut orgs = Vec::new();
        for name in ["a", "b", "c"] {
            let org = bed.organisation(name).await.id;
            fill(bed, org).await;
            orgs.push(org);
        }
        let all = bed.store.load_all().await.unwrap();
        assert_eq!(all.iter().map(|facts| facts.organisation.id).collect::<Vec<_>>(), orgs);
        for facts in all {
            assert_eq!(facts.workspaces.len(), 1);
            assert_eq!(facts.api_keys.len(), 2, "the revoked one is not told");
            assert!(facts.api_keys.iter().all(|key| key.secrets.len() == 1));
            assert_eq!(facts.provider_keys.len(), 1);
            assert_eq!(facts.endpoints.len(), 2);
            let one = bed.store.load_org(facts.organisation.id).await.unwrap();
            assert_eq!(one, Some(facts));
        }
        assert_eq!(bed.store.load_org(OrgId::new()).await.unwrap(), None);
    }

    async fn the_bell_rings_behind_the_commit(bed: &Bed) {
        let bell = bed.store.doorbell();
        let rung = bell.notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        let org = bed.organisation("acme").await.id;
        tokio::time::timeout(Duration::from_secs(5), rung).await.unwrap();
        assert_eq!(bed.store.changes_since(0).await.unwrap()[0].org, Some(org));
        assert!(bed.store.organisation_find(org).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_s_commit_rings_this_bell() {
    with_postgres(async |bed| {
        let other = bed.another().await;
        let bell = other.doorbell();
        let rung = async || tokio::time::timeout(Duration::from_secs(5), bell.notified()).await;
        let (hearing, (told, mut recalled)) = (other.clone(), tokio::sync::mpsc::unbounded_channel());
        tokio::spawn(async move { hearing.hear_others(move |org| told.send(org).unwrap()).await });
        rung().await.expect("it rings once when it listens");
        let org = OrgId::new();
        bed.store.recall(org).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(5), recalled.recv()).await;
        assert_eq!(heard.expect("nobody was asked"), Some(org));
        for name in ["a", "b"] {
            let (heard, _) = tokio::join!(rung(), bed.organisation(name));
            heard.expect("nobody rang");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_gone_holds_its_locks_for_seconds() {
    with_postgres(async |bed| {
        let mut tx = bed.store.pools().begin().await.unwrap();
        let most: String = on_engine!(tx.conn(), |db| {
            sqlx::query_scalar("SELECT current_setting('idle_in_transaction_session_timeout', true)")
                .fetch_one(db)
                .await
        })
        .unwrap();
        assert_eq!(most, "10s");
    })
    .await;
}

async fn fill(bed: &Bed, org: OrgId) {
    let audit = || samples::audit(org, "test");
    let mut keys = ["one", "two", "gone"].map(|name| samples::api_key(org, name));
    keys[0].ip_allow = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    keys[0].models = vec!["openai/*".to_owned()];
    keys[0].expires_at = Some(samples::NEW_YEAR.plus_seconds(1));
    keys[0].llm_requests_per_day = Limit::Of(7);
    for key in &keys {
        bed.store.api_key_create(key, Limit::Unlimited, &audit()).await.unwrap();
        assert_eq!(bed.store.api_key_find(org, key.id).await.unwrap().as_ref(), Some(key));
    }
    bed.store.api_key_revoke(org, keys[2].id, &audit()).await.unwrap();
    let mut provider_key = samples::provider_key(org, "main");
    provider_key.source = KeySource::Reference("env:OPENAI_API_KEY".to_owned());
    bed.store.org_key_add(&samples::org_key(org, 1, 1), None).await.unwrap();
    let sealed = samples::sealed_secret(&provider_key, 1);
    bed.store.provider_key_create(&provider_key, &sealed, &audit()).await.unwrap();
    for name in ["b-llm", "a-llm"] {
        bed.store.endpoint_create(&samples::endpoint(org, name), &audit()).await.unwrap();
    }
}
