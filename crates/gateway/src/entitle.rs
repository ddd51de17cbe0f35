//! Step 3: may this caller have this, and where does it lead?

use crate::arrive::Trail;
use crate::attempts::Plan;
use crate::authenticate::Authenticated;
use crate::cache::Place;
use crate::edge::body::{self, BodyReader};
use crate::guard::{self, Guard};
use crate::passthrough::{self, Through};
use crate::read_body::{OutputBounds, bad_body, read_form, read_json};
use crate::routes::Target;
use crate::share::Share;
use crate::translation::{Pair, Told, Translation, Way, translate};
use crate::wanted::Wanted;
use crate::worker::Worker;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::catalogue::{Price, Resolved};
use topdog_domain::directory::{Caller, OrgView};
use topdog_domain::guardrail::RuleSet;
use topdog_domain::policy::pick::Asking;
use topdog_domain::provider::{Family, MAJOR_PROVIDERS, Operation, ProviderApi, ProviderName};
use topdog_domain::{ProviderKeyId, Refusal, Timestamp};
use topdog_wire::gemini_body::name_model;
use topdog_wire::json_head::Marks;
use topdog_wire::multipart::ModelFinder;

/// A request that its caller may make.
pub(crate) struct Entitled {
    pub(crate) caller: Arc<Caller>,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) client_ip: IpAddr,
    pub(crate) operation: Operation,
    pub(crate) is_stream: bool,
    /// Did the client itself ask for the usage chunk of a stream?
    pub(crate) asks_usage: bool,
    /// Is a stream wanted as one JSON array, and not as events?
    pub(crate) is_json_array: bool,
    /// How much the client asks for at the most.
    pub(crate) bounds: OutputBounds,
    /// As the client named it.
    pub(crate) model_requested: Arc<str>,
    pub(crate) route: Route,
    pub(crate) outgoing: Outgoing,
    /// What its answer is to be translated by; none where both sides speak the same.
    pub(crate) translation: Option<Box<Translation>>,
    /// What else is tried, where a policy has a route for it.
    pub(crate) plan: Option<Box<Plan>>,
    /// What judges its texts; none where no policy has guardrails.
    pub(crate) guard: Option<Box<Guard>>,
    /// How long the client took to send its body: no time of ours.
    pub(crate) client_wait: Duration,
    /// Where its answer is kept, or will be; none where it may not be, as almost always.
    pub(crate) cache: Option<Box<Place>>,
}

impl Entitled {
    /// The same request on its way somewhere else; none where its body can be read only once.
    pub(crate) fn again(&self, route: Route) -> Option<Box<Self>> {
        let Outgoing::Json { body, marks } = &self.outgoing else { return None };
        Some(Box::new(Self {
            caller: self.caller.clone(),
            headers: self.headers.clone(),
            query: self.query.clone(),
            client_ip: self.client_ip,
            operation: self.operation,
            is_stream: self.is_stream,
            asks_usage: self.asks_usage,
            is_json_array: self.is_json_array,
            bounds: self.bounds,
            model_requested: self.model_requested.clone(),
            route,
            outgoing: Outgoing::Json { body: body.clone(), marks: *marks },
            translation: None,
            plan: None,
            guard: self.guard.clone(),
            client_wait: self.client_wait,
            cache: None,
        }))
    }

    /// Says it in its provider's dialect, where that is not the caller's.
    pub(crate) fn translate(&mut self, trail: &Trail, share: &mut Share) -> Result<(), Refusal> {
        let pair = match self.route.way {
            Way::Native if self.operation.family() == Family::Gemini => return self.name_in_path(),
            Way::Native => return Ok(()),
            Way::Translated(pair) => pair,
        };
        let Outgoing::Json { body, .. } = &self.outgoing else {
            // Forms have no other dialect.
            return Err(Refusal::OperationUnsupported(self.route.provider.clone()));
        };
        let uri = self.route.translated_uri(pair, self.is_stream).ok_or_else(bad_model)?;
        let Told { body, translation } =
            translate(trail, pair, &self.route, &self.headers, body, self.is_stream, share)?;
        self.outgoing = Outgoing::Translated { uri, body };
        self.translation = Some(translation);
        Ok(())
    }

    /// A body whose path names the model goes to that path, and names no other.
    fn name_in_path(&mut self) -> Result<(), Refusal> {
        let uri = self.route.addressed_uri(self.operation, self.is_stream);
        if let (Some(uri), Outgoing::Json { body, .. }) = (uri, &self.outgoing) {
            let body = name_model(body.clone(), &self.route.model).map_err(|bad| bad_body(&bad))?;
            self.outgoing = Outgoing::Addressed { uri, body };
        }
        Ok(())
    }

    /// What its texts are to be judged by; none where no policy has guardrails.
    pub(crate) fn guardrails(&self) -> Option<&Arc<RuleSet>> {
        self.caller.policy.as_deref()?.guardrails()
    }
}

/// Where a request goes.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) provider: ProviderName,
    pub(crate) provider_header: HeaderValue,
    pub(crate) model: Arc<str>,
    pub(crate) price: Option<Price>,
    pub(crate) destination: Destination,
    pub(crate) way: Way,
}

impl Route {
    /// Where what is translated goes; none where the model's name can't be part of a path.
    fn translated_uri(&self, pair: Pair, is_stream: bool) -> Option<Uri> {
        match &self.destination {
            Destination::Upstream { target, .. } => target.translated_uri(pair, &self.model, is_stream),
            Destination::Test => None,
        }
    }

    /// Where what passes as it came goes, if its path names the model; none for the test provider, which is nowhere.
    fn addressed_uri(&self, operation: Operation, is_stream: bool) -> Option<Uri> {
        match &self.destination {
            Destination::Upstream { target, .. } => target.addressed_uri(operation, &self.model, is_stream),
            Destination::Test => None,
        }
    }

    /// Whose API is there?
    pub(crate) fn api(&self) -> ProviderApi {
        match &self.destination {
            Destination::Upstream { target, .. } => target.manner.api(),
            Destination::Test => ProviderApi::OpenAi,
        }
    }

    /// Can a stream be asked for its usage there, in OpenAI's dialect?
    pub(crate) fn takes_stream_options(&self) -> bool {
        match &self.destination {
            Destination::Upstream { target, .. } => target.takes_stream_options,
            Destination::Test => true,
        }
    }
}

/// What is there.
#[derive(Clone)]
pub(crate) enum Destination {
    /// A provider or a customer's endpoint, and the key for it, if it takes one.
    Upstream { target: Rc<Target>, key: Option<ProviderKeyId> },
    /// The built-in test provider.
    Test,
}

/// The body, on its way out.
pub(crate) enum Outgoing {
    /// JSON, whole and checked.
    Json { body: Bytes, marks: Marks },
    /// JSON in the provider's dialect, which is not the caller's.
    Translated { uri: Uri, body: Bytes },
    /// JSON whose model stands in the path; both sides speak the same.
    Addressed { uri: Uri, body: Bytes },
    /// What is passed through to a provider's own path.
    Through(Box<Through>),
    /// A form whose model is known, and what is still to come of it.
    Form { finder: Box<ModelFinder>, rest: Box<BodyReader> },
}

impl Outgoing {
    /// Bytes that have been read of it so far.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json { body, .. } | Self::Translated { body, .. } | Self::Addressed { body, .. } => {
                body.len()
            }
            Self::Through(through) => through.len(),
            Self::Form { finder, .. } => finder.held_bytes(),
        }
    }
}

pub(crate) async fn entitle(
    worker: &Worker,
    trail: &Trail,
    Authenticated { arrived, caller }: Authenticated,
    share: &mut Share,
) -> Result<Box<Entitled>, Refusal> {
    if matches!(arrived.wanted, Wanted::Passage(_)) {
        // Boxed: it must not weigh on every request's state.
        return Box::pin(passthrough::entitle(worker, trail, Authenticated { arrived, caller }, share)).await;
    }
    let arrived = *arrived;
    let (operation, addressed) = match arrived.wanted {
        Wanted::Operation(operation) => (operation, None),
        Wanted::Addressed(addressed) => (addressed.operation, Some(addressed)),
        Wanted::Passage(_) | Wanted::ModelList | Wanted::Model(_) => return Err(Refusal::Internal),
    };
    worker.parts().directory.tiers().require_operation(&caller.org.tier, operation)?;
    let mut reader = BodyReader::new(arrived.body, &arrived.headers, worker.config())?;
    let read = if operation.is_multipart() {
        let finder = read_form(&arrived.headers, &mut reader, share).await?;
        Read {
            client_wait: reader.waited(),
            model: finder.model().map(Arc::from),
            is_stream: finder.is_stream(),
            asks_usage: true,
            bounds: OutputBounds::default(),
            outgoing: Outgoing::Form { finder, rest: Box::new(reader) },
        }
    } else {
        let json = read_json(&arrived.headers, &mut reader, share).await?;
        Read {
            client_wait: reader.waited(),
            model: json.model,
            is_stream: json.is_stream,
            asks_usage: json.asks_usage,
            bounds: match &addressed {
                Some(_) if caller.caps.is_some() => OutputBounds::of_gemini(&json.body),
                _ => json.bounds,
            },
            outgoing: Outgoing::Json { body: json.body, marks: json.marks },
        }
    };
    let (model, is_stream) = match &addressed {
        None => (read.model, read.is_stream),
        Some(addressed) => addressed.over(read.model, read.is_stream),
    };
    let default = || {
        let is_openais = addressed.as_ref().is_none_or(|addressed| addressed.is_of("openai"));
        default_model(operation).filter(|_| is_openais).map(Arc::from)
    };
    let model = model.or_else(default).ok_or_else(missing_model)?;
    if !is_model_name(&model) {
        return Err(bad_model());
    }
    let catalogue = &worker.parts().catalogue;
    let plan = if caller.policy.as_ref().is_some_and(|policy| policy.has_routes()) {
        Plan::of(worker, &caller, operation, &model, trail.at, read.outgoing.len())
    } else {
        Ok(None)
    };
    let plan = plan.map_err(|refusal| catalogue.advise(refusal))?;
    let route = match &plan {
        Some(plan) => plan.first_route()?,
        None => route(worker, &caller, operation, &model, trail.at)
            .map_err(|refusal| catalogue.advise(refusal))?,
    };
    // Boxed: it is handed from step to step.
    let mut entitled = Box::new(Entitled {
        caller,
        headers: arrived.headers,
        query: arrived.query,
        client_ip: arrived.client_ip,
        operation,
        is_stream,
        asks_usage: read.asks_usage,
        is_json_array: addressed.is_some_and(|addressed| addressed.is_json_array),
        bounds: read.bounds,
        model_requested: model,
        route,
        outgoing: read.outgoing,
        translation: None,
        plan: None,
        guard: None,
        client_wait: read.client_wait,
        cache: None,
    });
    if let Some(rules) = entitled.guardrails().cloned() {
        // Boxed: most requests have no guardrails. Before anything is translated or kept to be tried again.
        entitled = Box::pin(guard::input(worker, trail, rules, entitled, share)).await?;
    }
    // As it is before it is translated, where its answer may be kept.
    let body = match &entitled.outgoing {
        Outgoing::Json { body, .. } if entitled.caller.caching.is_some() => Some(body.clone()),
        _ => None,
    };
    let mut entitled = match plan {
        Some(plan) => plan.begin(trail, entitled, share)?,
        None => {
            entitled.translate(trail, share)?;
            entitled
        }
    };
    entitled.cache = body.and_then(|body| Place::of(trail, &entitled, &body));
    Ok(entitled)
}

/// What a body has told.
struct Read {
    outgoing: Outgoing,
    model: Option<Arc<str>>,
    is_stream: bool,
    asks_usage: bool,
    bounds: OutputBounds,
    client_wait: Duration,
}

/// The rules of step 3 on a model name, and its price at that time; `/v1/models` lists by the same.
pub(crate) fn route(
    worker: &Worker,
    caller: &Caller,
    operation: Operation,
    name: &str,
    at: Timestamp,
) -> Result<Route, Refusal> {
    let tiers = worker.parts().directory.tiers();
    let resolved = find(worker, &caller.asking(&tiers), name, at)?;
    let key = caller.org.provider_key(resolved.provider.as_str()).map(|key| key.id);
    lead(worker, caller, operation, resolved, key)
}

/// The model that a name leads to, if the caller may use it.
pub(crate) fn find<'n>(
    worker: &Worker,
    asking: &Asking<'n>,
    name: &'n str,
    at: Timestamp,
) -> Result<Resolved<'n>, Refusal> {
    let is_test = |provider: &str| is_test(worker, provider);
    asking.pick(name, is_test, |name| resolve(worker, asking.org, name, at), &mut ())
}

/// Where a name that is no alias leads.
pub(crate) fn resolve<'n>(
    worker: &Worker,
    org: &OrgView,
    name: &'n str,
    at: Timestamp,
) -> Result<Resolved<'n>, Refusal> {
    let is_provider = |provider: &str| {
        is_test(worker, provider)
            || MAJOR_PROVIDERS.contains(&provider)
            || worker.routes.provider(provider).is_some()
            || org.endpoint(provider).is_some()
    };
    let resolved = worker.parts().catalogue.resolve(name, at, is_provider);
    resolved.map_err(|unresolved| unresolved.refusal(body::shown(name)))
}

/// Is it the built-in test provider, and on?
pub(crate) fn is_test(worker: &Worker, provider: &str) -> bool {
    provider == "test" && worker.config().is_test_provider_enabled
}

/// The way to a model that the caller may use, with that provider key.
pub(crate) fn lead(
    worker: &Worker,
    caller: &Caller,
    operation: Operation,
    resolved: Resolved<'_>,
    key: Option<ProviderKeyId>,
) -> Result<Route, Refusal> {
    let provider = resolved.provider;
    let (destination, way) = if is_test(worker, provider.as_str()) {
        (Destination::Test, Way::Native)
    } else {
        destination(worker, caller, operation, &provider, key)?
    };
    let provider_header = match &destination {
        Destination::Upstream { target, .. } => target.provider_header.clone(),
        Destination::Test => HeaderValue::from_static("test"),
    };
    let model = resolved.model.into();
    Ok(Route { provider_header, model, price: resolved.price, provider, destination, way })
}

fn destination(
    worker: &Worker,
    caller: &Caller,
    operation: Operation,
    provider: &ProviderName,
    key: Option<ProviderKeyId>,
) -> Result<(Destination, Way), Refusal> {
    let org = &caller.org;
    let tiers = worker.parts().directory.tiers();
    let configured = worker.routes.provider(provider.as_str());
    let endpoint = if configured.is_none() { org.endpoint(provider.as_str()) } else { None };
    tiers.require_provider(&org.tier, provider, endpoint.is_some())?;
    tiers.require_operation(&org.tier, operation)?;
    let unsupported = || Refusal::OperationUnsupported(provider.clone());
    let target = match endpoint {
        Some(endpoint) => worker.routes.endpoint(endpoint).ok_or_else(unsupported)?,
        None => configured.ok_or_else(unsupported)?,
    };
    let way = Way::between(operation, target.manner.api()).ok_or_else(unsupported)?;
    if key.is_none() && !endpoint.is_some_and(|e| e.is_keyless) {
        return Err(Refusal::NoProviderKey(provider.clone()));
    }
    Ok((Destination::Upstream { target, key }, way))
}

/// What OpenAI itself takes where a request names no model.
const fn default_model(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::Moderations => Some("openai/omni-moderation-latest"),
        Operation::ImageGeneration | Operation::ImageEdit | Operation::ImageVariation => {
            Some("openai/dall-e-2")
        }
        _ => None,
    }
}

fn missing_model() -> Refusal {
    Refusal::BadBody {
        message: "you must provide a model parameter".to_owned(),
        param: Some("model".to_owned()),
        code: "missing_required_parameter",
    }
}

/// A provider may know names that we do not; but they get into headers, records and logs.
pub(crate) fn is_model_name(name: &str) -> bool {
    name.len() <= LONGEST_MODEL_NAME && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Bytes.
const LONGEST_MODEL_NAME: usize = 256;

pub(crate) fn bad_model() -> Refusal {
    Refusal::BadBody {
        message: format!(
            "a model's name is {LONGEST_MODEL_NAME} visible ASCII characters at the most; correct it"
        ),
        param: Some("model".to_owned()),
        code: "invalid_model",
    }
}
