use crate::api::{List, Tier};
use crate::authority::{CatalogueReader, Operator};
use crate::body::{Answer, Input};
use crate::checks::bad_field;
use crate::params::Named;
use crate::platform::Shared;
use crate::problem::Problem;
use axum::extract::State;
use topdog_domain::OrgId;
use topdog_domain::tier::TierName;

pub(super) async fn list(
    State(platform): State<Shared>,
    _: CatalogueReader,
) -> Result<Answer<List<Tier>>, Problem> {
    let tiers = platform.parts.tiers.tier_list().await?;
    Ok(Answer(List { data: tiers.into_iter().map(Tier).collect() }))
}

pub(super) async fn show(
    State(platform): State<Shared>,
    _: CatalogueReader,
    Named(name): Named<TierName>,
) -> Result<Answer<Tier>, Problem> {
    let tiers = platform.parts.tiers.tier_list().await?;
    let found = tiers.into_iter().find(|tier| tier.name == name);
    found.map(|tier| Answer(Tier(tier))).ok_or(Problem::NotFound("tier"))
}

pub(super) async fn put(
    State(platform): State<Shared>,
    operator: Operator,
    Named(name): Named<TierName>,
    Input(Tier(tier)): Input<Tier>,
) -> Result<Answer<Tier>, Problem> {
    if tier.name != name {
        return Err(bad_field("name", "it is not the name in the path"));
    }
    tier.check().map_err(|rule| bad_field("tier", rule))?;
    let audit = operator.trail.draft(OrgId::INSTALLATION, &name);
    platform.parts.tiers.tier_put(&tier, &audit).await?;
    platform.refresh_all().await;
    Ok(Answer(Tier(tier)))
}
