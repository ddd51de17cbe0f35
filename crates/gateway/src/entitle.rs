//! Step 3: may this caller have this, and where does it lead?

use crate::arrive::Wanted;
use crate::authenticate::Authenticated;
use crate::edge::body::{self, BodyReader};
use crate::routes::Target;
use crate::worker::Worker;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::api_key::KeyMode;
use topdog_domain::catalogue::Price;
use topdog_domain::directory::Caller;
use topdog_domain::provider::{MAJOR_PROVIDERS, Operation, ProviderName};
use topdog_domain::{ProviderKeyId, Refusal};
use topdog_wire::json_head::{Marks, read_head};
use topdog_wire::multipart::{BadMultipart, ModelFinder, Progress};

/// A request that its caller may make.
pub(crate) struct Entitled {
    pub(crate) caller: Caller,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) client_ip: IpAddr,
    pub(crate) operation: Operation,
    pub(crate) is_stream: bool,
    /// Did the client itself ask for the usage chunk of a stream?
    pub(crate) asks_usage: bool,
    pub(crate) route: Route,
    pub(crate) outgoing: Outgoing,
    /// How long the client took to send its body: no time of ours.
    pub(crate) client_wait: Duration,
}

/// Where a request goes.
pub(crate) struct Route {
    pub(crate) provider: ProviderName,
    pub(crate) provider_header: HeaderValue,
    pub(crate) model_requested: Arc<str>,
    pub(crate) model: Arc<str>,
    pub(crate) price: Option<Price>,
    pub(crate) destination: Destination,
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
    /// A form whose model is known, and what is still to come of it.
    Form { finder: Box<ModelFinder>, rest: Box<BodyReader> },
}

impl Outgoing {
    /// Bytes that have been read of it so far.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json { body, .. } => body.len(),
            Self::Form { finder, .. } => finder.held_bytes(),
        }
    }
}

struct Read {
    outgoing: Outgoing,
    model: Option<String>,
    is_stream: bool,
    asks_usage: bool,
}

pub(crate) async fn entitle(
    worker: &Worker,
    Authenticated { arrived, caller }: Authenticated,
) -> Result<Box<Entitled>, Refusal> {
    let Wanted::Operation(operation) = arrived.wanted else { return Err(Refusal::Internal) };
    worker.parts().directory.tiers().require_operation(&caller.org.tier, operation)?;
    let mut reader = BodyReader::new(arrived.body, &arrived.headers, worker.config())?;
    let read = if operation.is_multipart() {
        read_form(&arrived.headers, &mut reader).await
    } else {
        read_json(&arrived.headers, &mut reader).await
    };
    let client_wait = reader.waited();
    let read = match read? {
        ReadBody::Json(read) => read,
        ReadBody::Form(finder) => Read {
            model: finder.model().map(str::to_owned),
            is_stream: finder.is_stream(),
            asks_usage: true,
            outgoing: Outgoing::Form { finder, rest: Box::new(reader) },
        },
    };
    let model =
        read.model.or_else(|| default_model(operation).map(str::to_owned)).ok_or_else(missing_model)?;
    if !is_model_name(&model) {
        return Err(bad_model());
    }
    let route = route(worker, &caller, operation, &model)?;
    // Boxed: it is handed from step to step.
    Ok(Box::new(Entitled {
        caller,
        headers: arrived.headers,
        query: arrived.query,
        client_ip: arrived.client_ip,
        operation,
        is_stream: read.is_stream,
        asks_usage: read.asks_usage,
        route,
        outgoing: read.outgoing,
        client_wait,
    }))
}

/// The rules of step 3 on a model name; `/v1/models` lists by the same.
pub(crate) fn route(
    worker: &Worker,
    caller: &Caller,
    operation: Operation,
    name: &str,
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
    let resolved = parts.catalogue.resolve(name, is_provider).ok_or_else(|| Refusal::UnknownModel {
        model: body::shown(name),
        nearest: parts.catalogue.nearest(name),
    })?;
    let provider = resolved.provider;
    let is_allowed = caller.key.allows_model(provider.as_str(), resolved.model)
        && (caller.key.mode == KeyMode::Live || is_test(provider.as_str()));
    if !is_allowed {
        return Err(Refusal::ModelNotAllowed(body::shown(name)));
    }
    let destination = if is_test(provider.as_str()) {
        Destination::Test
    } else {
        destination(worker, caller, operation, &provider)?
    };
    let provider_header = match &destination {
        Destination::Upstream { target, .. } => target.provider_header.clone(),
        Destination::Test => HeaderValue::from_static("test"),
    };
    Ok(Route {
        provider_header,
        model_requested: name.into(),
        model: resolved.model.into(),
        price: resolved.price,
        provider,
        destination,
    })
}

fn destination(
    worker: &Worker,
    caller: &Caller,
    operation: Operation,
    provider: &ProviderName,
) -> Result<Destination, Refusal> {
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
    let key = org.provider_key(provider.as_str()).map(|key| key.id);
    if key.is_none() && !endpoint.is_some_and(|e| e.is_keyless) {
        return Err(Refusal::NoProviderKey(provider.clone()));
    }
    Ok(Destination::Upstream { target, key })
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

enum ReadBody {
    Json(Read),
    Form(Box<ModelFinder>),
}

async fn read_json(headers: &HeaderMap, reader: &mut BodyReader) -> Result<ReadBody, Refusal> {
    let is_json = headers.get(CONTENT_TYPE).is_none_or(|v| is_media_type(v.as_bytes(), b"application/json"));
    if !is_json {
        return Err(Refusal::UnsupportedMediaType("application/json"));
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|v| v != "identity") {
        return Err(Refusal::UnsupportedMediaType("a body without content-encoding"));
    }
    let body = reader.whole().await?;
    let head = read_head(&body).map_err(|bad| Refusal::BadBody {
        message: bad.public_message(),
        param: bad.param().map(std::borrow::Cow::into_owned),
        code: bad.code(),
    })?;
    let model = head.model.as_deref().map(str::to_owned);
    let (is_stream, asks_usage, marks) = (head.is_stream, head.asks_usage, head.marks());
    Ok(ReadBody::Json(Read { outgoing: Outgoing::Json { body, marks }, model, is_stream, asks_usage }))
}

async fn read_form(headers: &HeaderMap, reader: &mut BodyReader) -> Result<ReadBody, Refusal> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut finder =
        ModelFinder::new(content_type).map_err(|_| Refusal::UnsupportedMediaType("multipart/form-data"))?;
    while let Some(chunk) = reader.next().await? {
        match finder.feed(chunk).map_err(bad_form)? {
            Progress::Searching => {}
            Progress::Found | Progress::Ended => return Ok(ReadBody::Form(Box::new(finder))),
        }
    }
    Err(bad_form(BadMultipart::Truncated))
}

pub(crate) fn bad_form(bad: BadMultipart) -> Refusal {
    Refusal::BadBody {
        message: bad.public_message(),
        param: bad.param().map(str::to_owned),
        code: bad.code(),
    }
}

fn is_media_type(value: &[u8], want: &[u8]) -> bool {
    let essence = value.split(|b| *b == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(want)
}
