use crate::api::{Quota, QuotaLine, UtcTime};
use crate::authority::{OrgCaller, ReadOrg};
use crate::body::Answer;
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use axum::extract::State;
use std::collections::BTreeMap;
use topdog_domain::Timestamp;
use topdog_domain::entitlement::Resource;
use topdog_domain::policy::capped::meter_name;
use topdog_domain::ports::{CapUse, MeterUse};
use topdog_domain::quota::Paused;
use topdog_domain::tier::Limit;

pub(super) async fn show(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadOrg>,
) -> Result<Answer<Quota>, Problem> {
    let (tier, now) = (caller.tier(), caller.trail.at);
    let (facts, meters) = (&caller.org.facts, &caller.org.meters);
    let limited_keys: BTreeMap<_, _> = facts
        .api_keys
        .iter()
        .filter(|key| key.llm_requests_per_day != Limit::Unlimited)
        .map(|key| (key.id, (key.llm_requests_per_day, meters.of_key(key.id))))
        .collect();

    let api_calls = meters.api_calls.pause().await;
    let llm_requests = meters.llm_requests.pause().await;
    let mut of_keys = Vec::new();
    for (id, (limit, meter)) in &limited_keys {
        of_keys.push((format!("llm_requests_per_day:{id}"), *limit, meter.pause().await));
    }
    let granted = platform.parts.ledger.granted(caller.org_id(), now.day()).await?;

    let day = Day { granted: &granted, now };
    let mut data = vec![
        day.line(Resource::ApiCallsPerDay.name().to_owned(), tier.api_calls_per_day, &api_calls),
        day.line(Resource::LlmRequestsPerDay.name().to_owned(), tier.llm_requests_per_day, &llm_requests),
        standing(Resource::ApiKeys, tier.api_keys_limit, Some(facts.api_keys.len())),
        standing(Resource::KeyManagementCallsPerMinute, tier.key_management_calls_per_minute, None),
    ];
    data.extend(of_keys.into_iter().map(|(name, limit, meter)| day.line(name, limit, &meter)));
    data.extend(caps(&platform, &caller).await?);
    Ok(Answer(Quota { tier: tier.name.clone(), day: now.day().to_string(), data }))
}

/// What is used of the caps of the organisation's policies: of those of requests under way, on this node.
async fn caps(platform: &Platform, caller: &OrgCaller<ReadOrg>) -> Result<Vec<QuotaLine>, Problem> {
    let (now, org) = (caller.trail.at, &caller.org);
    let mut lines = Vec::new();
    let policies = org.facts.policies.iter();
    let caps = policies.filter_map(|there| Some((there.scope, there.policy.as_ref()?)));
    let caps: Vec<_> =
        caps.flat_map(|(scope, policy)| policy.caps().iter().map(move |cap| (scope, cap))).collect();
    if caps.is_empty() {
        return Ok(lines);
    }
    let granted = platform.parts.caps.cap_granted(caller.org_id(), now).await?;
    for (scope, cap) in caps {
        let limit = meter_name(scope, cap);
        let meter = org.meters.caps.of(&limit);
        let window = cap.per.map(|per| per.window(now));
        let used = match window {
            None => meter.in_use.now(),
            Some(window) => {
                let here = |used: &&CapUse| used.resource == limit && used.start == window.start;
                let granted = granted.iter().find(here).map_or(0, |used| used.granted);
                granted.saturating_sub(meter.unspent(window))
            }
        };
        let resets_at = window.map(|window| UtcTime(window.end));
        lines.push(QuotaLine { limit, allowed: Limit::Of(cap.most), used: Some(used), resets_at });
    }
    Ok(lines)
}

/// What the ledger says of a day.
struct Day<'a> {
    granted: &'a [MeterUse],
    now: Timestamp,
}

impl Day<'_> {
    /// What is used of a daily limit: what was granted, less what this node has still in hand.
    fn line(&self, name: String, allowed: Limit, meter: &Paused<'_>) -> QuotaLine {
        let granted = self.granted.iter().find(|meter| meter.resource == name);
        let granted = granted.map_or(0, |meter| meter.granted);
        let is_counted = allowed != Limit::Unlimited;
        QuotaLine {
            limit: name,
            allowed,
            used: is_counted.then(|| granted.saturating_sub(meter.unspent(self.now))),
            resets_at: is_counted.then(|| UtcTime(self.now.day().end())),
        }
    }
}

fn standing(resource: Resource, allowed: Limit, used: Option<usize>) -> QuotaLine {
    QuotaLine {
        limit: resource.name().to_owned(),
        allowed,
        used: used.and_then(|used| used.try_into().ok()),
        resets_at: None,
    }
}
