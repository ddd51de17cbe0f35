//! OpenAI's paths of what it keeps: responses, files, batches. They name no model, and so lead to OpenAI, or to the
//! provider of its dialect that the caller names.
//!
//! From OpenAI's API reference: "Responses", "Files", "Batch".

use super::Passage;
use http::header::HeaderName;
use http::{HeaderMap, Method};
use topdog_domain::Refusal;
use topdog_domain::provider::ProviderName;

/// Names the provider that keeps it.
const X_PROVIDER: HeaderName = HeaderName::from_static("x-topdog-provider");

/// One of those paths.
struct Place {
    /// Behind `/v1`; `*` is an id.
    path: &'static [&'static str],
    methods: &'static [Method],
    /// The same for `MethodNotAllowed`.
    allow: &'static str,
    /// May it run a model (a batch's are in its file)?
    may_run: bool,
}

const PLACES: [Place; 9] = [
    Place {
        path: &["responses", "*"],
        methods: &[Method::GET, Method::DELETE],
        allow: "GET, DELETE",
        may_run: false,
    },
    Place { path: &["responses", "*", "cancel"], methods: &[Method::POST], allow: "POST", may_run: false },
    Place { path: &["responses", "*", "input_items"], methods: &[Method::GET], allow: "GET", may_run: false },
    Place { path: &["files"], methods: &[Method::GET, Method::POST], allow: "GET, POST", may_run: false },
    Place {
        path: &["files", "*"],
        methods: &[Method::GET, Method::DELETE],
        allow: "GET, DELETE",
        may_run: false,
    },
    Place { path: &["files", "*", "content"], methods: &[Method::GET], allow: "GET", may_run: false },
    Place { path: &["batches"], methods: &[Method::GET, Method::POST], allow: "GET, POST", may_run: true },
    Place { path: &["batches", "*"], methods: &[Method::GET], allow: "GET", may_run: false },
    Place { path: &["batches", "*", "cancel"], methods: &[Method::POST], allow: "POST", may_run: false },
];

/// The passage that one of these paths asks for; none where it is no such path.
pub(crate) fn stateful(method: &Method, path: &str, headers: &HeaderMap) -> Option<Result<Passage, Refusal>> {
    let behind = path.strip_prefix("/v1/")?;
    let segments = || behind.split('/');
    let place = PLACES.iter().find(|place| {
        segments().count() == place.path.len()
            && segments()
                .zip(place.path)
                .all(|(segment, known)| if *known == "*" { is_id(segment) } else { segment == *known })
    })?;
    if !place.methods.contains(method) {
        return Some(Err(Refusal::MethodNotAllowed(place.allow)));
    }
    Some(provider(headers).map(|provider| Passage {
        provider,
        method: method.clone(),
        path: format!("/{behind}"),
        runs_no_model: !place.may_run,
    }))
}

fn provider(headers: &HeaderMap) -> Result<ProviderName, Refusal> {
    let mut named = headers.get_all(X_PROVIDER).iter();
    let bad = || Refusal::BadHeader("x-topdog-provider");
    match (named.next(), named.next()) {
        (None, _) => Ok(ProviderName::openai()),
        (Some(name), None) => {
            name.to_str().ok().and_then(|name| ProviderName::parse(name).ok()).ok_or_else(bad)
        }
        (Some(_), Some(_)) => Err(bad()),
    }
}

fn is_id(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use topdog_domain::provider::Operation;

    fn asked(method: Method, path: &str) -> Option<Result<(String, bool), Refusal>> {
        let passage = stateful(&method, path, &HeaderMap::new())?;
        Some(passage.map(|passage| {
            let is_kept = passage.operation() == Operation::Resource;
            (passage.path, is_kept)
        }))
    }

    #[test]
    fn what_openai_keeps_is_found_and_nothing_else() {
        for (method, path, is_kept) in [
            (Method::GET, "/responses/resp_1", true),
            (Method::DELETE, "/responses/resp_1", true),
            (Method::POST, "/responses/resp_1/cancel", true),
            (Method::GET, "/responses/resp_1/input_items", true),
            (Method::POST, "/files", true),
            (Method::GET, "/files/file-1/content", true),
            (Method::POST, "/batches", false),
            (Method::GET, "/batches", true),
            (Method::POST, "/batches/batch_1/cancel", true),
        ] {
            assert_eq!(asked(method, &format!("/v1{path}")), Some(Ok((path.to_owned(), is_kept))), "{path}");
        }
        for path in [
            "/v1/responses/",
            "/v1/responses/..",
            "/v1/responses/a%2Fb",
            "/v1/responses/a/b",
            "/v1/files//content",
            "/v1/files/a/b/c",
            "/v2/files",
            "/v1beta/files",
            "/v1",
            "/v1/filesx",
            "/v1/fine_tuning/jobs",
        ] {
            assert_eq!(asked(Method::GET, path), None, "{path}");
        }
        assert_eq!(asked(Method::PUT, "/v1/files"), Some(Err(Refusal::MethodNotAllowed("GET, POST"))));
    }

    #[test]
    fn the_caller_may_name_another_provider_once() {
        let asked = |names: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.append(X_PROVIDER, http::HeaderValue::from_static(name));
            }
            stateful(&Method::GET, "/v1/files", &headers).unwrap().map(|passage| passage.provider.to_string())
        };
        assert_eq!(asked(&[]), Ok("openai".to_owned()));
        assert_eq!(asked(&["groq"]), Ok("groq".to_owned()));
        for names in [&["Groq"][..], &["groq", "groq"], &[""]] {
            assert_eq!(asked(names), Err(Refusal::BadHeader("x-topdog-provider")), "{names:?}");
        }
    }
}
