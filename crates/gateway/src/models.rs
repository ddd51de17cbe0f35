//! `GET /v1/models`: only what this key may use.

use crate::answer::{self, Answer};
use crate::arrive::Trail;
use crate::authenticate::Authenticated;
use crate::edge::body::shown;
use crate::entitle::{Route, route};
use crate::wanted::Wanted;
use crate::worker::Worker;
use topdog_domain::directory::Caller;
use topdog_domain::provider::{Family, Operation};
use topdog_domain::{Refusal, Timestamp};
use topdog_wire::models::{ModelEntry, model_list, model_object};

/// The list, or one model of it. It can reach no provider, and so is no LLM request.
pub(crate) fn models(
    worker: &Worker,
    trail: &Trail,
    Authenticated { arrived, caller }: &Authenticated,
) -> Result<Answer, Refusal> {
    let family = trail.family.get();
    let usable = usable(worker, caller, asked_in(family), trail.at);
    let body = match &arrived.wanted {
        Wanted::Model(id) => {
            // An alias counts before a model of that name, also where it may not be used.
            let is_alias = caller.policy.iter().any(|policy| policy.aliases().contains_key(id.as_str()));
            let is_plain = |model: &Usable| !is_alias && model.plain.as_deref() == Some(id);
            let found = usable.iter().find(|model| model.id == *id || is_plain(model));
            found.map(|model| model_object(family, model.entry())).ok_or_else(|| Refusal::UnknownModel {
                model: shown(id),
                nearest: worker.parts().catalogue.nearest(id),
            })?
        }
        _ => model_list(family, usable.iter().map(Usable::entry)),
    };
    worker.parts().metrics.listed(trail);
    Ok(answer::json(200, body, trail))
}

struct Usable {
    id: String,
    /// The name without the provider, where that is enough.
    plain: Option<String>,
    owned_by: String,
    created: i64,
}

impl Usable {
    fn entry(&self) -> ModelEntry<'_> {
        ModelEntry { id: &self.id, owned_by: &self.owned_by, created: self.created }
    }
}

/// What a client of that family asks models for above all.
const fn asked_in(family: Family) -> Operation {
    match family {
        Family::Anthropic => Operation::Messages,
        Family::Cohere => Operation::CohereChat,
        Family::Gemini => Operation::GenerateContent,
        Family::OpenAi => Operation::Chat,
    }
}

fn usable(worker: &Worker, caller: &Caller, operation: Operation, at: Timestamp) -> Vec<Usable> {
    let leads = |id: &str| route(worker, caller, operation, id, at);
    let catalogue = &worker.parts().catalogue;
    let known = catalogue.iter().map(|model| Usable {
        id: format!("{}/{}", model.provider, model.name),
        plain: catalogue.is_led_to(model).then(|| model.name.clone()),
        owned_by: model.provider.to_string(),
        created: model.created,
    });
    let own = caller.org.facts.endpoints.iter().flat_map(|endpoint| {
        endpoint.models.iter().map(|name| Usable {
            id: format!("{}/{name}", endpoint.name),
            plain: None,
            owned_by: endpoint.name.to_string(),
            created: endpoint.created_at.micros() / 1_000_000,
        })
    });
    let test = std::iter::once(Usable {
        id: "test/echo".to_owned(),
        plain: None,
        owned_by: "topdog-test".to_owned(),
        created: 0,
    });
    let models = known.chain(own).chain(test).filter(|model| leads(&model.id).is_ok());
    aliases(caller, leads).chain(models).collect()
}

/// What policies call models by; first, since an alias counts before a model of the same name.
fn aliases<'a>(
    caller: &'a Caller,
    route: impl Fn(&str) -> Result<Route, Refusal> + 'a,
) -> impl Iterator<Item = Usable> + 'a {
    let aliases = caller.policy.iter().flat_map(|policy| policy.aliases());
    aliases.filter_map(move |(name, since)| {
        Some(Usable {
            id: name.to_owned(),
            plain: None,
            owned_by: route(name).ok()?.provider.to_string(),
            created: since.micros() / 1_000_000,
        })
    })
}
