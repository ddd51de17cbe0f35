use crate::api::{ExplainPolicy, ExplainedRefusal, PolicyExplanation, PolicyStep};
use crate::authority::{OrgCaller, ReadPolicies};
use crate::body::{Answer, Input};
use crate::checks::bad_field;
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use crate::target::is_known;
use axum::extract::State;
use topdog_domain::api_key::{ApiKey, Scope};
use topdog_domain::catalogue::Resolved;
use topdog_domain::directory::OrgView;
use topdog_domain::policy::Check;
use topdog_domain::policy::explain::{self, Explained, Ground};
use topdog_domain::policy::pick::Asking;
use topdog_domain::provider::ProviderName;
use topdog_domain::{ApiKeyId, Refusal};

pub(super) async fn explain(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadPolicies>,
    Input(wish): Input<ExplainPolicy>,
) -> Result<Answer<PolicyExplanation>, Problem> {
    let key = key(&caller, wish.key)?;
    let is_name = (1..=256).contains(&wish.model.len()) && wish.model.bytes().all(|b| b.is_ascii_graphic());
    if !is_name {
        return Err(bad_field("model", "a model's name is 1 to 256 visible ASCII characters"));
    }
    let org = &*caller.org;
    let policy = org.policy_of(key);
    let tiers = platform.parts.directory.tiers();
    let asking = Asking { org, key, policy: policy.as_deref(), tiers: &tiers };
    let ground = Ground {
        resolve: &resolving(|name| resolve(&platform, org, name)),
        is_configured: &|name| platform.providers.contains_key(name),
        has_test_provider: platform.parts.is_test_provider_enabled,
    };
    let Explained { steps, outcome } = explain::explain(&asking, wish.operation, &wish.model, &ground);
    let outcome = outcome.map_err(|refusal| platform.parts.catalogue.advise(refusal));
    Ok(Answer(told(Explained { steps, outcome })))
}

/// The key that is meant. What another key may do is told to whoever may read keys.
fn key(caller: &OrgCaller<ReadPolicies>, named: Option<ApiKeyId>) -> Result<&ApiKey, Problem> {
    let own = caller.key.as_deref();
    let Some(id) = named else {
        return own.ok_or_else(|| bad_field("key", "the operator has none of its own; name one"));
    };
    if let Some(own) = own {
        if own.id == id {
            return Ok(own);
        }
        if !own.has(Scope::ApiKeysRead) {
            return Err(Refusal::ScopeMissing(Scope::ApiKeysRead).into());
        }
    }
    let mut keys = caller.org.facts.api_keys.iter();
    keys.find(|key| key.id == id).ok_or(Problem::NotFound("api key"))
}

fn resolve<'n>(platform: &Platform, org: &OrgView, name: &'n str) -> Result<Resolved<'n>, Refusal> {
    let is_provider =
        |name: &str| ProviderName::parse(name).is_ok_and(|provider| is_known(platform, org, &provider));
    let resolved = platform.parts.catalogue.resolve(name, platform.now(), is_provider);
    resolved.map_err(|unresolved| unresolved.refusal(name.chars().take(120).collect()))
}

/// Tells the compiler that what is found borrows from the name that was looked for.
fn resolving<F>(resolve: F) -> F
where
    F: for<'n> Fn(&'n str) -> Result<Resolved<'n>, Refusal>,
{
    resolve
}

fn told(Explained { steps, outcome }: Explained) -> PolicyExplanation {
    let is_routed = steps.iter().any(|step| step.check == Check::Route);
    let steps = steps.into_iter().map(PolicyStep::from).collect();
    match outcome {
        Ok(goals) => {
            let first = goals.first().cloned();
            let (provider, model) = first.clone().map(|goal| (goal.provider, goal.model)).unzip();
            PolicyExplanation {
                is_allowed: true,
                provider,
                model,
                provider_key: first.and_then(|goal| goal.provider_key),
                attempts: if is_routed { goals.into_iter().map(Into::into).collect() } else { Vec::new() },
                refusal: None,
                steps,
            }
        }
        Err(refusal) => PolicyExplanation {
            is_allowed: false,
            provider: None,
            model: None,
            provider_key: None,
            attempts: Vec::new(),
            refusal: Some(ExplainedRefusal {
                status: refusal.status(),
                code: refusal.code().to_owned(),
                detail: refusal.to_string(),
            }),
            steps,
        },
    }
}
