use super::*;
use topdog_domain::OrgId;
use topdog_domain::fakes::samples;
use topdog_domain::tier::{Limit, Tier, TierName};

contract! {
    begins_with_the_standard_catalogue,
    is_replaced_by_name,
    a_new_tier_takes_its_place_by_rank,
    every_change_has_its_entry_with_what_was_and_what_is,
}

async fn begins_with_the_standard_catalogue(ports: &Ports) {
    assert_eq!(ports.tiers.tier_list().await.unwrap(), Tier::standard_catalogue());
}

async fn is_replaced_by_name(ports: &Ports) {
    let mut tiers = Tier::standard_catalogue();
    tiers[0].api_keys_limit = Limit::Of(3);
    tiers[0].debug_log_retention_days = Limit::Unlimited;
    let seq = ports.change_feed.newest_change().await.unwrap();
    ports.tiers.tier_put(&tiers[0], &samples::audit(OrgId::INSTALLATION, "tier.put")).await.unwrap();
    assert_eq!(ports.tiers.tier_list().await.unwrap(), tiers);
    let changes = ports.change_feed.changes_since(seq).await.unwrap();
    assert_eq!(changes.iter().map(|change| change.org).collect::<Vec<_>>(), [None]);
}

async fn a_new_tier_takes_its_place_by_rank(ports: &Ports) {
    let mut tiers = Tier::standard_catalogue();
    let mut trial = tiers[0].clone();
    trial.name = TierName::parse("TRIAL").unwrap();
    trial.rank = tiers[0].rank - 1;
    ports.tiers.tier_put(&trial, &samples::audit(OrgId::INSTALLATION, "tier.put")).await.unwrap();
    tiers.insert(0, trial);
    assert_eq!(ports.tiers.tier_list().await.unwrap(), tiers);
}

/// However many change the catalogue at once, each entry says what its change replaced.
async fn every_change_has_its_entry_with_what_was_and_what_is(ports: &Ports) {
    let mut free = Tier::standard_catalogue().remove(0);
    let mut tasks = tokio::task::JoinSet::new();
    for limit in 2..10 {
        let ports = ports.clone();
        free.api_keys_limit = Limit::Of(limit);
        let free = free.clone();
        tasks.spawn(async move {
            ports.tiers.tier_put(&free, &samples::audit(OrgId::INSTALLATION, "tier.put")).await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let entries = ports.reader.audit_list(OrgId::INSTALLATION, 0, 20).await.unwrap();
    assert_eq!(entries.len(), 8);
    let mut known = "1".to_owned();
    for entry in entries {
        let body: serde_json::Value = serde_json::from_str(&entry.body).unwrap();
        let said = body["detail"]["api_keys_limit"].as_str().unwrap();
        let (was, is) = said.split_once(" -> ").unwrap();
        assert_eq!(was, known, "{said}");
        known = is.to_owned();
    }
    assert_eq!(ports.tiers.tier_list().await.unwrap()[0].api_keys_limit.to_string(), known);
}
