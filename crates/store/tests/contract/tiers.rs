use super::*;
use topdog_domain::fakes::samples::NEW_YEAR;
use topdog_domain::tier::{Limit, Tier, TierName};

contract! {
    begins_with_the_standard_catalogue,
    is_replaced_by_name,
    a_new_tier_takes_its_place_by_rank,
}

async fn begins_with_the_standard_catalogue(ports: &Ports) {
    assert_eq!(ports.tiers.tier_list().await.unwrap(), Tier::standard_catalogue());
}

async fn is_replaced_by_name(ports: &Ports) {
    let mut tiers = Tier::standard_catalogue();
    tiers[0].api_keys_limit = Limit::Of(3);
    tiers[0].debug_log_retention_days = Limit::Unlimited;
    let seq = ports.change_feed.newest_change().await.unwrap();
    ports.tiers.tier_put(&tiers[0], NEW_YEAR).await.unwrap();
    assert_eq!(ports.tiers.tier_list().await.unwrap(), tiers);
    let changes = ports.change_feed.changes_since(seq).await.unwrap();
    assert_eq!(changes.iter().map(|change| change.org).collect::<Vec<_>>(), [None]);
}

async fn a_new_tier_takes_its_place_by_rank(ports: &Ports) {
    let mut tiers = Tier::standard_catalogue();
    let mut trial = tiers[0].clone();
    trial.name = TierName::parse("TRIAL").unwrap();
    trial.rank = tiers[0].rank - 1;
    ports.tiers.tier_put(&trial, NEW_YEAR).await.unwrap();
    tiers.insert(0, trial);
    assert_eq!(ports.tiers.tier_list().await.unwrap(), tiers);
}
