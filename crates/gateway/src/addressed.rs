//! Requests of Gemini's API: the model and the method stand in their paths, the form of a stream and perhaps the key in
//! their queries.
//!
//! A model may be named `provider/model` here as anywhere, with its `/` as it is or percent-encoded. Whatever a name is
//! made of, it is one segment of the path that a provider is asked at; names that could mean another path to anybody on
//! the way are refused nonetheless.

use crate::edge::body::shown;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use topdog_domain::Refusal;
use topdog_domain::provider::{Family, Operation, ProviderName};

/// What a path has asked for.
pub(crate) struct Addressed {
    pub(crate) operation: Operation,
    /// Whose, where the path says it. A model is then what that provider calls it.
    provider: Option<ProviderName>,
    /// The model, and whether its answer is to be a stream, where the path says that and not the body.
    called: Option<(Arc<str>, bool)>,
    /// Is the stream wanted as one JSON array, and not as events?
    pub(crate) is_json_array: bool,
}

impl Addressed {
    /// An operation at the path of a provider's own.
    pub(crate) const fn at(operation: Operation, provider: ProviderName) -> Self {
        Self { operation, provider: Some(provider), called: None, is_json_array: false }
    }

    /// The same of that provider.
    pub(crate) fn of(self, provider: ProviderName) -> Self {
        Self { provider: Some(provider), ..self }
    }

    /// The model, and whether a stream is wanted, of a body that says this: what the path says counts, whatever stands in
    /// the body beside it.
    pub(crate) fn over(&self, model: Option<Arc<str>>, is_stream: bool) -> (Option<Arc<str>>, bool) {
        let (model, is_stream) = match &self.called {
            Some((model, is_stream)) => (Some(model.clone()), *is_stream),
            None => (model, is_stream),
        };
        let model = match (&self.provider, model) {
            (Some(provider), Some(model)) => Some(format!("{provider}/{model}").into()),
            (_, model) => model,
        };
        (model, is_stream)
    }

    /// Whose an operation without a model is.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.provider.as_ref().is_none_or(|provider| provider.as_str() == name)
    }
}

/// A path that calls a method of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MethodCall<'a> {
    pub(crate) operation: Operation,
    pub(crate) is_stream: bool,
    /// Percent-encoded.
    model: &'a str,
}

/// What Gemini's paths begin with, in both versions of its API.
const MODELS: [&str; 2] = ["/v1beta/models/", "/v1/models/"];

impl<'a> MethodCall<'a> {
    /// The call that a path makes; none where it makes none that is known.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let rest = MODELS.iter().find_map(|beginning| path.strip_prefix(beginning))?;
        // A name may have a colon, too.
        let (model, method) = rest.rsplit_once(':')?;
        let (operation, is_stream) = match method {
            "streamGenerateContent" => (Operation::GenerateContent, true),
            _ => (
                Operation::ALL.into_iter().find(|o| o.family() == Family::Gemini && o.path() == method)?,
                false,
            ),
        };
        Some(Self { operation, is_stream, model })
    }

    /// With the model's name as it is meant, and the form that the query has asked for.
    pub(crate) fn addressed(self, query: Query) -> Result<Addressed, Refusal> {
        let Self { operation, is_stream, model } = self;
        let model = decoded(model).filter(|model| is_harmless(model)).ok_or_else(bad_name)?;
        Ok(Addressed {
            operation,
            provider: None,
            called: Some((model.into(), is_stream)),
            is_json_array: is_stream && !query.wants_events,
        })
    }
}

/// Can't it be read as another path: no empty segment, none that leads up, nothing that is still encoded or that ends a
/// path?
fn is_harmless(model: &str) -> bool {
    let is_name = |segment: &str| !matches!(segment, "" | "." | "..");
    model.split('/').all(is_name) && !model.contains(['%', '\\', '?', '#', ';'])
}

fn bad_name() -> Refusal {
    Refusal::BadBody {
        message: "the model's name in the path can't be understood; write it as `models/provider/model`"
            .to_owned(),
        param: Some("model".to_owned()),
        code: "invalid_model",
    }
}

/// What a query has said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Query {
    wants_events: bool,
}

impl Query {
    /// Reads a query of Gemini's API, of which nothing goes on to a provider. The key in it becomes a header, so that it is
    /// looked at with the others; nobody gets to see it again.
    ///
    /// A parameter that isn't known is refused: some change what an answer tells, and with that what is metered.
    pub(crate) fn take(query: &str, headers: &mut HeaderMap) -> Result<Self, Refusal> {
        let mut read = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match decoded(name).as_deref() {
                Some("key") => {
                    let key = decoded(value).and_then(|key| HeaderValue::try_from(key).ok());
                    let mut key = key.ok_or(Refusal::UnknownKey)?;
                    key.set_sensitive(true);
                    headers.append(X_GOOG_API_KEY, key);
                }
                Some("alt" | "$alt") => match value {
                    "sse" => read.wants_events = true,
                    "json" => {}
                    _ => return Err(bad_query("alt", "can be `sse` or `json` here")),
                },
                Some("prettyPrint" | "$prettyPrint" | "pageSize" | "pageToken") => {}
                name => {
                    return Err(bad_query(
                        &shown(name.unwrap_or_default()),
                        "is not known here; leave it out",
                    ));
                }
            }
        }
        Ok(read)
    }

    /// The query without the key, which becomes a header as in [`take`](Self::take).
    pub(crate) fn without_key(query: &str, headers: &mut HeaderMap) -> Result<Option<String>, Refusal> {
        let is_key = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            decoded(name).as_deref() == Some("key")
        };
        for pair in query.split('&').filter(is_key) {
            Self::take(pair, headers)?;
        }
        let rest: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !is_key(pair)).collect();
        let rest = rest.join("&");
        require_no_key(&rest)?;
        Ok((!rest.is_empty()).then_some(rest))
    }

    /// Is there a key in a query, whoever it is of?
    pub(crate) fn holds_key(query: &str) -> bool {
        query.split('&').any(|pair| pair.starts_with("key="))
    }
}

/// Where Gemini's clients have their key.
pub(crate) const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// A query of another API goes on to the provider, and so must not hold a key of ours.
pub(crate) fn require_no_key(query: &str) -> Result<(), Refusal> {
    let is_ours = |text: &str| text.contains("td_live_") || text.contains("td_test_");
    if is_ours(query) || (query.contains('%') && decoded(query).is_some_and(|query| is_ours(&query))) {
        return Err(bad_query(
            "key",
            "is a Top Dog API key, which is taken in a header; consider it seen by others",
        ));
    }
    Ok(())
}

fn bad_query(name: &str, why: &str) -> Refusal {
    Refusal::BadBody {
        message: format!("the parameter `{name}` of the query {why}"),
        param: Some(name.to_owned()),
        code: "invalid_query",
    }
}

/// A text of an address with its percent-encoding resolved, once; none where that is broken, or no UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|d| char::from(d).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model_of(path: &str) -> Option<String> {
        let addressed = MethodCall::of(path)?.addressed(Query::default()).ok()?;
        Some(addressed.called?.0.to_string())
    }

    #[test]
    fn models_and_methods_are_told_apart_in_paths() {
        for (path, model) in [
            ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash"),
            ("/v1/models/gemini-2.5-flash:countTokens", "gemini-2.5-flash"),
            ("/v1beta/models/openai/gpt-4o:generateContent", "openai/gpt-4o"),
            ("/v1beta/models/openai%2Fgpt-4o:streamGenerateContent", "openai/gpt-4o"),
            ("/v1beta/models/openai%2fft:gpt-4o:acme:generateContent", "openai/ft:gpt-4o:acme"),
            ("/v1beta/models/a:generateContent:generateContent", "a:generateContent"),
        ] {
            assert_eq!(model_of(path).as_deref(), Some(model), "{path}");
        }
        for path in [
            "/v1beta/models/gemini-2.5-flash",
            "/v1beta/models/gemini-2.5-flash:predict",
            "/v1beta/models/gemini-2.5-flash:generate_content",
            "/v1beta/tunedModels/x:generateContent",
            "/v2/models/x:generateContent",
            "/v1beta/models/x%3AgenerateContent",
        ] {
            assert_eq!(MethodCall::of(path), None, "{path}");
        }
    }

    #[test]
    fn a_name_that_could_lead_elsewhere_is_none() {
        for name in [
            "",
            "..",
            ".",
            "%2e%2e",
            "../x",
            "..%2fx",
            "a/../b",
            "a%2F%2E%2E%2Fb",
            "a//b",
            "/a",
            "a/",
            "%252e%252e",
            "a%5Cb",
            "a%3Fb",
            "a%23b",
            "a%3Bb",
            "a%",
            "a%2",
            "a%zz",
            "%ff",
        ] {
            assert_eq!(model_of(&format!("/v1beta/models/{name}:generateContent")), None, "{name}");
        }
    }

    #[test]
    fn a_query_is_taken_apart_and_its_key_becomes_a_header() {
        let take = |query| {
            let mut headers = HeaderMap::new();
            let read = Query::take(query, &mut headers);
            let keys: Vec<_> = headers.get_all(X_GOOG_API_KEY).iter().cloned().collect();
            (read, keys)
        };
        let (read, keys) = take("alt=sse&key=td%5Flive_x");
        assert!(read.unwrap().wants_events);
        assert_eq!(keys, ["td_live_x"]);
        assert!(keys[0].is_sensitive());
        assert_eq!(take("key=a&key=b").1, ["a", "b"], "two different ones are refused with the headers");
        assert!(!take("%24alt=json").0.unwrap().wants_events);
        for query in [
            "alt=proto",
            "alt=%73se",
            "fields=candidates",
            "callback=f",
            "access_token=x",
            "%=1",
            "upload_protocol",
        ] {
            assert!(take(query).0.is_err(), "{query}");
        }
        for query in ["key=%0d%0a", "key=%"] {
            assert_eq!(take(query).0, Err(Refusal::UnknownKey), "{query}");
        }
        let mut headers = HeaderMap::new();
        let rest = Query::without_key("a=1&key=td_live_x&%6bey=td_live_x&&b", &mut headers);
        assert_eq!(rest.unwrap().as_deref(), Some("a=1&b"));
        assert_eq!(headers.get_all(X_GOOG_API_KEY).iter().count(), 2);
        assert!(Query::without_key("a=td_live_x", &mut headers).is_err());
        assert_eq!(Query::without_key("key=x", &mut headers).unwrap(), None);
        for query in ["a=td_live_x", "a=td%5Flive_x", "td_test_"] {
            assert!(require_no_key(query).is_err(), "{query}");
        }
        assert!(require_no_key("beta=true&x=%zz").is_ok());
    }
}
