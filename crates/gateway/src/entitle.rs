//! Step 3: may this caller have this, and where does it lead?

use crate::arrive::{Trail, Wanted};
use crate::authenticate::Authenticated;
use crate::edge::body::{self, BodyReader};
use crate::read_body::{read_form, read_json};
use crate::routes::Target;
use crate::share::Share;
use crate::translation::{Pair, Told, Translation, Way, translate};
use crate::worker::Worker;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::catalogue::Price;
use topdog_domain::directory::Caller;
use topdog_domain::provider::{MAJOR_PROVIDERS, Operation, ProviderName};
use topdog_domain::{ProviderKeyId, Refusal, Timestamp};
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
    /// As the client named it.
    pub(crate) model_requested: Arc<str>,
    pub(crate) route: Route,
    pub(crate) outgoing: Outgoing,
    /// What its answer is to be translated by; none where both sides speak the same.
    pub(crate) translation: Option<Box<Translation>>,
    /// How long the client took to send its body: no time of ours.
    pub(crate) client_wait: Duration,
}

/// Where a request goes.
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

    /// Can a stream be asked for its usage there, in OpenAI's dialect?
    pub(crate) fn takes_stream_options(&self) -> bool {
        match &self.destination {
            Destination::Upstream { target, .. } => target.takes_stream_options,
            Destination::Test => true,
        }
    }
}

/// What is there.
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
    /// A form whose model is known, and what is still to come of it.
    Form { finder: Box<ModelFinder>, rest: Box<BodyReader> },
}

impl Outgoing {
    /// Bytes that have been read of it so far.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json { body, .. } | Self::Translated { body, .. } => body.len(),
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
    let Wanted::Operation(operation) = arrived.wanted else { return Err(Refusal::Internal) };
    worker.parts().directory.tiers().require_operation(&caller.org.tier, operation)?;
    let mut reader = BodyReader::new(arrived.body, &arrived.headers, worker.config())?;
    let read = if operation.is_multipart() {
        let finder = read_form(&arrived.headers, &mut reader, share).await?;
        Read {
            client_wait: reader.waited(),
            model: finder.model().map(Arc::from),
            is_stream: finder.is_stream(),
            asks_usage: true,
            outgoing: Outgoing::Form { finder, rest: Box::new(reader) },
        }
    } else {
        let json = read_json(&arrived.headers, &mut reader, share).await?;
        Read {
            client_wait: reader.waited(),
            model: json.model,
            is_stream: json.is_stream,
            asks_usage: json.asks_usage,
            outgoing: Outgoing::Json { body: json.body, marks: json.marks },
        }
    };
    let model = read.model.or_else(|| default_model(operation).map(Arc::from)).ok_or_else(missing_model)?;
    if !is_model_name(&model) {
        return Err(bad_model());
    }
    let catalogue = &worker.parts().catalogue;
    let route =
        route(worker, &caller, operation, &model, trail.at).map_err(|refusal| catalogue.advise(refusal))?;
    let (outgoing, translation) = match (route.way, read.outgoing) {
        (Way::Native, outgoing) => (outgoing, None),
        (Way::Translated(pair), Outgoing::Json { body, .. }) => {
            let uri = route.translated_uri(pair, read.is_stream).ok_or_else(bad_model)?;
            let Told { body, translation } = translate(trail, pair, &route, &arrived.headers, &body, share)?;
            (Outgoing::Translated { uri, body }, Some(translation))
        }
        // Forms have no other dialect.
        (Way::Translated(_), _) => return Err(Refusal::OperationUnsupported(route.provider)),
    };
    // Boxed: it is handed from step to step.
    Ok(Box::new(Entitled {
        caller,
        headers: arrived.headers,
        query: arrived.query,
        client_ip: arrived.client_ip,
        operation,
        is_stream: read.is_stream,
        asks_usage: read.asks_usage,
        model_requested: model,
        route,
        outgoing,
        translation,
        client_wait: read.client_wait,
    }))
}

/// What a body has told.
struct Read {
    outgoing: Outgoing,
    model: Option<Arc<str>>,
    is_stream: bool,
    asks_usage: bool,
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
    let parts = worker.parts();
    let org = &caller.org;
    let is_test = |provider: &str| provider == "test" && worker.config().is_test_provider_enabled;
    let is_provider = |provider: &str| {
        is_test(provider)
            || MAJOR_PROVIDERS.contains(&provider)
            || worker.routes.provider(provider).is_some()
            || org.endpoint(provider).is_some()
    };
    let resolve = |name| {
        let resolved = parts.catalogue.resolve(name, at, is_provider);
        resolved.map_err(|unresolved| unresolved.refusal(body::shown(name)))
    };
    let tiers = parts.directory.tiers();
    let resolved = caller.asking(&tiers).pick(name, is_test, resolve, &mut ())?;
    let provider = resolved.provider;
    let (destination, way) = if is_test(provider.as_str()) {
        (Destination::Test, Way::Native)
    } else {
        destination(worker, caller, operation, &provider)?
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
) -> Result<(Destination, Way), Refusal> {
    let org = &caller.org;
    let tiers = worker.parts().directory.tiers();
    let configured = worker.routes.provider(provider.as_str());
    let endpoint = if configured.is_none() { org.endpoint(provider.as_str()) } else { None };
    tiers.require_provider(&org.tier, provider, endpoint.is_some())?;
    tiers.require_operation(&org.tier, operation)?;
    let unsupported = || Refusal::OperationUnsupported(provider.clone());
    let target = match endpoint {
        Some(endpoint) => {
            worker.routes.endpoint(endpoint.name.as_str(), &endpoint.base_url).ok_or_else(unsupported)?
        }
        None => configured.ok_or_else(unsupported)?,
    };
    let way = Way::between(operation, target.dialect).ok_or_else(unsupported)?;
    let key = org.provider_key(provider.as_str()).map(|key| key.id);
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
fn is_model_name(name: &str) -> bool {
    name.len() <= LONGEST_MODEL_NAME && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Bytes.
const LONGEST_MODEL_NAME: usize = 256;

fn bad_model() -> Refusal {
    Refusal::BadBody {
        message: format!(
            "a model's name is {LONGEST_MODEL_NAME} visible ASCII characters at the most; correct it"
        ),
        param: Some("model".to_owned()),
        code: "invalid_model",
    }
}
