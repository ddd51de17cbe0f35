use super::super::engine::on_engine;
use super::bed::{Bed, on_both};
use sqlx::AssertSqlSafe;
use topdog_domain::OrgId;
use topdog_domain::fakes::samples;
use topdog_domain::ports::{Change, ChangeFeed as _, Tiers as _};
use topdog_domain::tier::{Limit, ProviderSet, Tier, TierName};

on_both! {
    async fn the_catalogue_comes_back_as_it_was(bed: &Bed) {
        assert_eq!(bed.store.tier_list().await.unwrap(), Tier::standard_catalogue());
    }

    async fn an_operator_s_change_stays(bed: &Bed) {
        let mut free = Tier::standard_catalogue().remove(0);
        free.api_keys_limit = Limit::Unlimited;
        free.byok_supported_providers = ProviderSet::All;
        free.webhooks_enabled = true;
        bed.store.tier_put(&free, &samples::audit(OrgId::INSTALLATION, "tier.put")).await.unwrap();
        let gold = Tier { name: TierName::parse("GOLD").unwrap(), rank: 1, ..free.clone() };
        bed.store.tier_put(&gold, &samples::audit(OrgId::INSTALLATION, "tier.put")).await.unwrap();
        bed.store.migrate().await.unwrap();
        let tiers = bed.store.tier_list().await.unwrap();
        assert_eq!(tiers.len(), 10);
        assert_eq!(tiers.first(), Some(&gold));
        assert_eq!(tiers.get(1), Some(&free));
        let told = bed.store.changes_since(0).await.unwrap();
        assert_eq!(told, [Change { seq: 1, org: None }, Change { seq: 2, org: None }]);
    }

    async fn columns_have_the_names_of_the_fields(bed: &Bed) {
        let tier = serde_json::to_value(Tier::standard_catalogue().remove(0)).unwrap();
        let fields: Vec<&str> = tier.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields.len(), 33);
        let by_name = format!("SELECT {} FROM membership_tiers", fields.join(", "));
        let rows = on_engine!(bed.store.pools().readers(), |db| {
            sqlx::query(AssertSqlSafe(by_name)).fetch_all(db).await.map(|rows| rows.len())
        });
        assert_eq!(rows.unwrap(), 9);
    }

    async fn unlimited_is_minus_one(bed: &Bed) {
        let limit: i64 = on_engine!(bed.store.pools().readers(), |db| {
            let find = "SELECT api_keys_limit FROM membership_tiers WHERE name = 'TEAMS-SMALL'";
            sqlx::query_scalar(find).fetch_one(db).await
        })
        .unwrap();
        assert_eq!(limit, -1);
    }
}
