//! `topdog tiers`: the tier catalogue, which is data.

use super::failure::Failure;
use super::orgs::tier_name;
use super::route::Route;
use super::session::Session;
use super::table::Table;
use crate::config::nearest;
use serde_json::{Map, Value};
use topdog_domain::tier::{Tier, TierName};
use topdog_platform::api::{List, Tier as TierBody};

/// What to do with tiers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Tiers {
    /// List all tiers with their daily limits
    List,
    /// Show every field of a tier
    Show {
        /// Its name
        #[arg(value_parser = tier_name)]
        name: TierName,
    },
    /// Change fields of a tier, or make a new one with --like
    Set {
        /// Its name
        #[arg(value_parser = tier_name)]
        name: TierName,
        /// What to change: numbers, `unlimited`, true, false or text
        #[arg(required = true, value_name = "FIELD=VALUE", value_parser = setting)]
        settings: Vec<Setting>,
        /// Begin with what this tier has
        #[arg(long, value_parser = tier_name, value_name = "TIER")]
        like: Option<TierName>,
    },
}

/// A field and the value that it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    field: String,
    value: String,
}

pub(super) async fn run(tiers: Tiers, session: &Session) -> Result<(), Failure> {
    match tiers {
        Tiers::List => {
            let all: List<TierBody> = session.api.get(Route::new("tiers")).await?;
            session.output.answer(&all.data, |all| table(all))
        }
        Tiers::Show { name } => {
            let tier: TierBody = session.api.get(route(&name)).await?;
            session.output.answer(&tier, |tier| facts(&tier.0))
        }
        Tiers::Set { name, settings, like } => {
            let present: TierBody = session.api.get(route(like.as_ref().unwrap_or(&name))).await?;
            let wanted = changed(Tier { name: name.clone(), ..present.0 }, &settings)?;
            let tier: TierBody = session.api.put(route(&name), &TierBody(wanted)).await?;
            session.output.answer(&tier, |tier| facts(&tier.0))
        }
    }
}

fn route(name: &TierName) -> Route {
    Route::new("tiers").then(name.as_str())
}

/// The tier with these settings; a value is whatever its field can take.
fn changed(tier: Tier, settings: &[Setting]) -> Result<Tier, Failure> {
    let changed = settings.iter().try_fold(tier, |tier, setting| {
        let fields = fields(&tier);
        if setting.field == "name" || !fields.contains_key(&setting.field) {
            return Err(unknown(&setting.field, &fields));
        }
        readings(&setting.value)
            .find_map(|value| {
                let mut fields = fields.clone();
                fields.insert(setting.field.clone(), value);
                serde_json::from_value(Value::Object(fields)).ok()
            })
            .ok_or_else(|| {
                Failure::usage(format!(
                    "`{}` can't be {}; it is {} now",
                    setting.field,
                    setting.value,
                    fields.get(&setting.field).map(shown).unwrap_or_default()
                ))
            })
    })?;
    changed.check().map_err(Failure::usage)?;
    Ok(changed)
}

fn unknown(field: &str, fields: &Map<String, Value>) -> Failure {
    match nearest(field, fields.keys().map(String::as_str)) {
        Some(near) => Failure::usage(format!("a tier has no field `{field}`; did you mean `{near}`?")),
        None => Failure::usage(format!("a tier has no field `{field}`; `topdog tiers show NAME` lists them")),
    }
}

/// What the text may mean, the narrowest first. -1 is unlimited, as in the table `membership_tiers`.
fn readings(text: &str) -> impl Iterator<Item = Value> {
    let truth = text.parse().ok().map(Value::Bool);
    let number = text.parse::<i64>().ok().map(Value::from);
    let unlimited = (text == "-1").then(|| Value::from("unlimited"));
    [truth, number, unlimited, Some(Value::from(text))].into_iter().flatten()
}

fn fields(tier: &Tier) -> Map<String, Value> {
    match serde_json::to_value(tier) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn table(tiers: &[TierBody]) -> Table {
    let mut table =
        Table::new(&["tier", "API calls/d", "LLM requests/d", "API keys", "key calls/min", "providers"]);
    for TierBody(tier) in tiers {
        table.row([
            tier.name.to_string(),
            tier.api_calls_per_day.to_string(),
            tier.llm_requests_per_day.to_string(),
            tier.api_keys_limit.to_string(),
            tier.key_management_calls_per_minute.to_string(),
            tier.byok_supported_providers.to_string(),
        ]);
    }
    table
}

fn facts(tier: &Tier) -> Table {
    let mut table = Table::of_facts([]);
    for (field, value) in fields(tier) {
        table.row([field, shown(&value)]);
    }
    table
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn setting(text: &str) -> Result<Setting, String> {
    let (field, value) = text.split_once('=').ok_or("write it as FIELD=VALUE, such as api_keys_limit=10")?;
    Ok(Setting { field: field.to_owned(), value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use topdog_domain::tier::Limit;

    fn pro() -> Tier {
        Tier::standard_catalogue().into_iter().find(|t| t.name.as_str() == "PRO").expect("PRO")
    }

    fn set(text: &str) -> Result<Tier, Failure> {
        changed(pro(), &[setting(text).expect("a setting")])
    }

    #[test]
    fn a_value_is_what_its_field_can_take() {
        assert_eq!(set("api_keys_limit=7").expect("a limit").api_keys_limit, Limit::Of(7));
        assert_eq!(set("api_keys_limit=unlimited").expect("a limit").api_keys_limit, Limit::Unlimited);
        assert_eq!(set("api_keys_limit=-1").expect("a limit").api_keys_limit, Limit::Unlimited);
        assert!(set("webhooks_enabled=true").expect("a truth").webhooks_enabled);
        assert_eq!(set("support_channel=24").expect("a text").support_channel, "24");
        assert_eq!(set("rank=-1").expect("a number").rank, -1);
    }

    #[test]
    fn what_a_field_can_not_take_is_refused() {
        for bad in ["api_keys_limit=many", "webhooks_enabled=yes", "rank=1.5", "name=X", "family=GOLD"] {
            assert!(set(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_misspelt_field_is_told_the_nearest() {
        let failure = set("api_key_limit=7").expect_err("unknown");
        assert!(failure.to_string().contains("did you mean `api_keys_limit`?"), "{failure}");
    }

    #[test]
    fn the_law_of_tiers_holds_before_anything_is_sent() {
        assert!(set("platform_managed_llm_enabled=true").is_err());
        assert!(set("byok_llm_enabled=false").is_err());
    }
}
