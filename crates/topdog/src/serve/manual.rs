//! The manual, at `/docs`: the very files of the repository, in the binary, as pages without scripts.

mod markdown;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::LazyLock;

/// The manual's pages.
pub(super) fn router() -> Router {
    Router::new()
        .route("/docs", get(async || MANUAL.index()))
        .route("/docs/", get(async || MANUAL.index()))
        .route("/docs/{page}", get(async |Path(name): Path<String>| MANUAL.page(&name)))
}

/// A file of the repository.
struct Source {
    /// Its page is `/docs/<name>`.
    name: &'static str,
    markdown: &'static str,
    /// What it is about, for the table of contents.
    about: &'static str,
}

macro_rules! sources {
    ($($name:literal = $file:literal: $about:literal;)+) => {
        &[$(Source {
            name: $name,
            markdown: include_str!(concat!("../../../../", $file)),
            about: $about,
        }),+]
    };
}

/// All pages, in the order of their reading.
const SOURCES: &[Source] = sources! {
    "quickstart" = "docs/quickstart.md": "from nothing to an answer";
    "configuration" = "docs/configuration.md": "the server's settings and where they come from";
    "providers" = "docs/providers.md": "the providers, and how one is added";
    "translation" = "docs/translation.md": "callers and providers of different dialects";
    "untranslatable" = "docs/untranslatable.md": "which fields a provider of another dialect can't be asked for";
    "coding-agents" = "docs/coding-agents.md": "Claude Code and Codex, with models of any provider";
    "compatibility" = "docs/compatibility.md": "which SDKs, frameworks and agents are tested, and with what";
    "prices" = "docs/prices.md": "what requests cost, and prices of your own";
    "cli" = "docs/cli.md": "commands and exit codes";
    "api-keys" = "docs/api-keys.md": "Top Dog API keys: form, scopes, rotation, revocation";
    "vault" = "docs/vault.md": "provider keys: sealing, references, rotation, deletion";
    "policies" = "docs/policies.md": "policies: which models may be used, and by what other names";
    "guardrails" = "docs/guardrails.md": "guardrails: what of texts may go to a model and come back";
    "quotas" = "docs/quotas.md": "the tiers: what is counted, when it resets, what a refusal says";
    "errors" = "docs/errors.md": "every refusal";
    "observability" = "docs/observability.md": "labels, metrics, logs, usage, audit";
    "deploy" = "docs/deploy.md": "systemd, Docker, Kubernetes; more than one node";
    "slo" = "docs/slo.md": "service levels: objectives, alert rules, dashboards, what to do";
    "faults" = "docs/faults.md": "what was seen when databases, networks, replicas and providers failed";
    "management-api" = "docs/management-api.md": "the REST API under /api/v1";
    "security" = "SECURITY.md": "what is promised, what is not, and how to report";
};

static MANUAL: LazyLock<Manual> = LazyLock::new(Manual::new);

/// The pages, rendered when the first is asked for.
struct Manual {
    pages: Vec<Page>,
    content_security_policy: HeaderValue,
}

struct Page {
    name: &'static str,
    title: String,
    html: String,
}

impl Manual {
    fn new() -> Self {
        let is_page = |name: &str| SOURCES.iter().any(|source| source.name == name);
        let page = |source: &Source| {
            let text = markdown::render(source.markdown, &is_page);
            Page { name: source.name, title: text.title, html: text.html }
        };
        Self { pages: SOURCES.iter().map(page).collect(), content_security_policy: content_security_policy() }
    }

    fn index(&self) -> Response {
        self.answer(StatusCode::OK, None, "Manual", &format!("<h1>Manual</h1>\n{}", self.contents()))
    }

    fn page(&self, name: &str) -> Response {
        match self.pages.iter().find(|page| page.name == name) {
            Some(page) => self.answer(StatusCode::OK, Some(page.name), &page.title, &page.html),
            None => {
                let text = format!("<h1>No such page</h1>\n<p>There are these:</p>\n{}", self.contents());
                self.answer(StatusCode::NOT_FOUND, None, "No such page", &text)
            }
        }
    }

    /// Every page with what it is about.
    fn contents(&self) -> String {
        let line = |(page, source): (&Page, &Source)| {
            format!("<li><a href=\"/docs/{}\">{}</a>: {}</li>\n", page.name, page.title, source.about)
        };
        let lines: String = self.pages.iter().zip(SOURCES).map(line).collect();
        format!("<ul>\n{lines}</ul>\n")
    }

    /// The way to the other pages.
    fn navigation(&self, current: Option<&str>) -> String {
        let link = |name: &str, path: &str, title: &str| {
            let mark = if current == Some(name) { " aria-current=\"page\"" } else { "" };
            format!("<li><a href=\"{path}\"{mark}>{title}</a></li>")
        };
        let to_page = |page: &Page| link(page.name, &format!("/docs/{}", page.name), &page.title);
        link("", "/docs", "Manual") + &self.pages.iter().map(to_page).collect::<String>()
    }

    fn answer(&self, status: StatusCode, current: Option<&str>, title: &str, text: &str) -> Response {
        // The text last: what it says of templates is not one.
        let html = TEMPLATE
            .replace("{{style}}", STYLE)
            .replace("{{title}}", title)
            .replace("{{pages}}", &self.navigation(current))
            .replace("{{text}}", text);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, self.content_security_policy.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        (status, headers, html).into_response()
    }
}

const TEMPLATE: &str = include_str!("manual/page.html");
const STYLE: &str = include_str!("manual/style.css");

/// Nothing is loaded, run, sent or framed; the one style is known by its hash.
fn content_security_policy() -> HeaderValue {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}
