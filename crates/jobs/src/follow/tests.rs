use super::*;
use crate::Stopper;
use async_trait::async_trait;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use topdog_domain::directory::OrgFacts;
use topdog_domain::fakes::{FakeClock, MemoryStore, samples};
use topdog_domain::ports::{ApiKeys, Change, OrganisationChange, Organisations};
use topdog_domain::tier::{Limit, Tier, TierCatalogue};

const CURRENT_FOR: Duration = Duration::from_secs(30);

struct Bed {
    store: Arc<MemoryStore>,
    directory: Arc<Directory>,
    doorbell: Arc<Notify>,
    clock: Arc<FakeClock>,
    heard: Arc<Mutex<Vec<OrgId>>>,
}

impl Bed {
    fn new() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            directory: Arc::new(Directory::new(TierCatalogue::new([]))),
            doorbell: Arc::default(),
            clock: Arc::new(FakeClock::at(samples::NEW_YEAR)),
            heard: Arc::default(),
        }
    }

    async fn load(&self) -> Result<Follower, PortError> {
        let heard = self.heard.clone();
        Follower::load(Following {
            feed: self.store.clone(),
            tiers: self.store.clone(),
            directory: self.directory.clone(),
            doorbell: self.doorbell.clone(),
            current_for: CURRENT_FOR,
            on_change: Box::new(move |org| heard.lock().unwrap().push(org)),
            clock: self.clock.clone(),
        })
        .await
    }

    /// A running follower, which has looked once.
    async fn follow(&self) -> (Stopper, Freshness) {
        let follower = self.load().await.unwrap();
        let freshness = follower.freshness();
        let (stopper, stop) = Stopper::new();
        tokio::spawn(follower.follow(stop));
        sleep(Duration::from_millis(1)).await;
        (stopper, freshness)
    }

    async fn organisation(&self, name: &str) -> OrgId {
        let new = samples::organisation(name, "PRO");
        let org = new.organisation.id;
        self.store.organisation_create(&new, &samples::audit(org, "organisation.create")).await.unwrap();
        org
    }

    fn tier_of(&self, org: OrgId) -> Option<String> {
        Some(self.directory.snapshot().org(org)?.tier.name.to_string())
    }

    async fn set_tier(&self, org: OrgId, name: &str) {
        let change = OrganisationChange { tier: Some(samples::tier(name)), data_segment: None };
        let audit = samples::audit(org, "organisation.set_tier");
        self.store.organisation_change(org, &change, &audit).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn begins_with_all_that_is_there() {
    let bed = Bed::new();
    let org = bed.organisation("acme").await;
    let (_stopper, _) = bed.follow().await;
    assert_eq!(bed.tier_of(org).as_deref(), Some("PRO"));
    assert!(bed.heard.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_the_database_it_does_not_begin() {
    let bed = Bed::new();
    bed.store.set_away(true);
    assert!(bed.load().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn another_nodes_change_is_there_within_a_second() {
    let bed = Bed::new();
    let (_stopper, _) = bed.follow().await;
    let org = bed.organisation("acme").await;
    sleep(LOOK_EVERY).await;
    assert_eq!(bed.tier_of(org).as_deref(), Some("PRO"));
    bed.set_tier(org, "FREE").await;
    sleep(LOOK_EVERY).await;
    assert_eq!(bed.tier_of(org).as_deref(), Some("FREE"));
    assert_eq!(*bed.heard.lock().unwrap(), [org, org]);
}

#[tokio::test(start_paused = true)]
async fn this_nodes_change_is_there_at_once() {
    let bed = Bed::new();
    let org = bed.organisation("acme").await;
    let (_stopper, _) = bed.follow().await;
    for name in ["FREE", "PRO-PLUS", "PRO"] {
        bed.set_tier(org, name).await;
        bed.doorbell.notify_waiters();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(bed.tier_of(org).as_deref(), Some(name));
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_and_a_destroyed_organisation_are_forgotten() {
    let bed = Bed::new();
    let org = bed.organisation("acme").await;
    let key = samples::api_key(org, "ci");
    let public_id = key.secrets[0].public_id;
    bed.store.api_key_create(&key, Limit::Unlimited, &samples::audit(org, "api_key.create")).await.unwrap();
    let (_stopper, _) = bed.follow().await;
    assert!(bed.directory.snapshot().caller(&public_id).is_some());

    bed.store.api_key_revoke(org, key.id, &samples::audit(org, "api_key.revoke")).await.unwrap();
    sleep(LOOK_EVERY).await;
    assert!(bed.directory.snapshot().caller(&public_id).is_none());
    bed.store.organisation_destroy(org, &samples::audit(org, "organisation.destroy")).await.unwrap();
    sleep(LOOK_EVERY).await;
    assert!(bed.directory.snapshot().org(org).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_changed_tier_reaches_every_organisation() {
    let bed = Bed::new();
    let org = bed.organisation("acme").await;
    let (_stopper, _) = bed.follow().await;
    let mut pro = Tier::standard_catalogue().into_iter().find(|tier| tier.name.as_str() == "PRO").unwrap();
    pro.api_calls_per_day = Limit::Of(77);
    bed.store.tier_put(&pro, &samples::audit(OrgId::INSTALLATION, "tier.put")).await.unwrap();
    let late = bed.organisation("late").await;
    sleep(LOOK_EVERY).await;
    for org in [org, late] {
        assert_eq!(bed.directory.snapshot().org(org).unwrap().tier.api_calls_per_day, Limit::Of(77));
    }
    assert_eq!(*bed.heard.lock().unwrap(), [late]);
}

#[tokio::test(start_paused = true)]
async fn while_the_database_is_away_what_is_known_stays() {
    let bed = Bed::new();
    let org = bed.organisation("acme").await;
    let (_stopper, freshness) = bed.follow().await;
    assert_eq!(freshness.last_ok(), samples::NEW_YEAR);
    bed.set_tier(org, "FREE").await;
    bed.store.set_away(true);
    bed.clock.advance_seconds(90);
    sleep(Duration::from_secs(90)).await;
    assert_eq!(bed.tier_of(org).as_deref(), Some("PRO"));
    assert_eq!(freshness.age_seconds(bed.clock.now()), 90);

    bed.store.set_away(false);
    sleep(LOOK_EVERY).await;
    assert_eq!(bed.tier_of(org).as_deref(), Some("FREE"));
    assert_eq!(freshness.age_seconds(bed.clock.now()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_out_of_touch_knows_it_whatever_the_clock_says() {
    let bed = Bed::new();
    let (_stopper, _) = bed.follow().await;
    let is_current = || bed.directory.is_current(bed.clock.now());
    bed.store.set_away(true);
    sleep(CURRENT_FOR).await;
    assert!(is_current(), "the wall clock stands, and the limit is not over");
    sleep(LOOK_EVERY * 2).await;
    assert!(!is_current(), "the limit is over by the clock that nobody sets");
    bed.store.set_away(false);
    sleep(LOOK_EVERY).await;
    assert!(is_current());
    // As after a pause: the clock has gone on, and nobody has looked yet.
    bed.clock.advance_seconds(31);
    assert!(!is_current());
    sleep(LOOK_EVERY).await;
    assert!(is_current());
}

#[tokio::test(start_paused = true)]
async fn a_database_that_never_answers_holds_up_no_later_look() {
    let bed = Bed::new();
    let silent = Arc::new(SilentOnce { feed: bed.store.clone(), is_silent: AtomicBool::new(true) });
    let mut follower = bed.load().await.unwrap();
    follower.parts.feed = silent;
    let (_stopper, stop) = Stopper::new();
    tokio::spawn(follower.follow(stop));
    let org = bed.organisation("acme").await;
    sleep(PATIENCE + LOOK_EVERY * 2).await;
    assert_eq!(bed.tier_of(org).as_deref(), Some("PRO"));
}

/// A feed that never answers the first look.
struct SilentOnce {
    feed: Arc<MemoryStore>,
    is_silent: AtomicBool,
}

#[async_trait]
impl ChangeFeed for SilentOnce {
    async fn newest_change(&self) -> Result<i64, PortError> {
        self.feed.newest_change().await
    }

    async fn changes_since(&self, seq: i64) -> Result<Vec<Change>, PortError> {
        if self.is_silent.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.feed.changes_since(seq).await
    }

    async fn load_all(&self) -> Result<Vec<OrgFacts>, PortError> {
        self.feed.load_all().await
    }

    async fn load_org(&self, org: OrgId) -> Result<Option<OrgFacts>, PortError> {
        self.feed.load_org(org).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_has_gone_back_is_read_again_and_followed_from_there() {
    let (bed, older) = (Bed::new(), Bed::new());
    let lost = bed.organisation("lost").await;
    for name in ["FREE", "PRO", "PRO-PLUS"] {
        bed.set_tier(lost, name).await;
    }
    let mut follower = bed.load().await.unwrap();
    let org = older.organisation("acme").await;
    follower.parts.feed = older.store.clone();
    follower.parts.tiers = older.store.clone();
    let (_stopper, stop) = Stopper::new();
    tokio::spawn(follower.follow(stop));
    sleep(LOOK_EVERY).await;
    assert_eq!((bed.tier_of(org).as_deref(), bed.tier_of(lost)), (Some("PRO"), None));
    assert_eq!(*bed.heard.lock().unwrap(), [lost]);
    older.set_tier(org, "FREE").await;
    sleep(LOOK_EVERY).await;
    assert_eq!(bed.tier_of(org).as_deref(), Some("FREE"), "though its number was seen before");
}

#[tokio::test(start_paused = true)]
async fn many_changes_of_one_organisation_are_one() {
    let bed = Bed::new();
    let org = bed.organisation("acme").await;
    let (_stopper, _) = bed.follow().await;
    for name in ["FREE", "PRO", "PRO-PLUS"] {
        bed.set_tier(org, name).await;
    }
    sleep(LOOK_EVERY).await;
    assert_eq!(*bed.heard.lock().unwrap(), [org]);
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_it() {
    let bed = Bed::new();
    let (stopper, stop) = Stopper::new();
    let worker = tokio::spawn(bed.load().await.unwrap().follow(stop));
    sleep(LOOK_EVERY).await;
    stopper.stop();
    worker.await.unwrap();
}
