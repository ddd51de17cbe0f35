use super::*;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use pulldown_cmark::{Event, Options, Parser, Tag};
use std::collections::{BTreeMap, BTreeSet};
use tower::ServiceExt as _;

async fn get_page(path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (head, body) = router().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

fn is_page(name: &str) -> bool {
    SOURCES.iter().any(|source| source.name == name)
}

fn links(markdown: &str) -> Vec<String> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.into_string()),
            _ => None,
        })
        .collect()
}

/// What links into a page can lead to.
fn anchors(html: &str) -> Vec<String> {
    html.split(" id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

#[tokio::test]
async fn every_file_of_the_manual_is_a_page() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str().unwrap().strip_suffix(".md").map(str::to_owned)
        })
        .collect();
    let pages: BTreeSet<String> = SOURCES.iter().map(|source| source.name.to_owned()).collect();
    assert_eq!(pages.difference(&files).collect::<Vec<_>>(), ["security"]);
    assert_eq!(files.difference(&pages).next(), None);
    for page in &pages {
        let (status, _, html) = get_page(&format!("/docs/{page}")).await;
        assert_eq!(status, 200);
        assert_eq!(html.matches("<h1 id=").count(), 1, "{page} has one title");
        assert!(!html.contains("{{"), "{page} has everything filled in");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let known: BTreeMap<&str, Vec<String>> =
        SOURCES.iter().map(|s| (s.name, anchors(&markdown::render(s.markdown, &is_page).html))).collect();
    let mut checked = 0;
    for source in SOURCES {
        for link in links(source.markdown) {
            let Some(place) = markdown::place_of(&link, &is_page) else {
                assert_eq!(link, "ARCHITECTURE.md", "{}.md links to what is not served: {link}", source.name);
                continue;
            };
            if place == "/api/v1/openapi.json" || place.starts_with("https://") {
                continue;
            }
            let (page, anchor) = place.split_once('#').unwrap_or((&place, ""));
            let page = if page.is_empty() { source.name } else { page.trim_start_matches("/docs/") };
            let anchors = known.get(page).unwrap_or_else(|| panic!("{}.md: {link}", source.name));
            assert!(
                anchor.is_empty() || anchors.iter().any(|known| known == anchor),
                "{}.md: {link}",
                source.name
            );
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
}

#[tokio::test]
async fn the_table_of_contents_leads_to_every_page() {
    for path in ["/docs", "/docs/"] {
        let (status, _, html) = get_page(path).await;
        assert_eq!(status, 200);
        for source in SOURCES {
            assert!(html.contains(&format!("<li><a href=\"/docs/{}\">", source.name)), "{}", source.name);
        }
    }
    let (status, _, html) = get_page("/docs/nothing%3Cscript%3E").await;
    assert_eq!(status, 404);
    assert!(html.contains("href=\"/docs/quickstart\"") && !html.contains("<script"));
}

#[tokio::test]
async fn a_page_runs_nothing_and_has_the_style_that_its_policy_knows() {
    let (_, headers, html) = get_page("/docs/quotas").await;
    assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    let (_, style) = html.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
    assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
    assert!(!html.contains("<script") && !html.contains(" style=") && !html.contains("javascript:"));
    assert!(html.contains("<li><a href=\"/docs/quotas\" aria-current=\"page\">Quotas</a></li>"));
}

#[test]
fn a_file_becomes_a_page() {
    let text = markdown::render(
        "# A & B\n\n## Who `may` call?\n\n[x](quotas.md#how-exact) [y](../ARCHITECTURE.md) <b>z</b>\n\n## Who may call\n\n|a|\n|-|\n|1|\n",
        &is_page,
    );
    assert_eq!(text.title, "A &amp; B");
    assert_eq!(anchors(&text.html), ["a--b", "who-may-call", "who-may-call-1"]);
    assert!(
        text.html.contains("<a href=\"/docs/quotas#how-exact\">x</a> y &lt;b&gt;z&lt;/b&gt;"),
        "{}",
        text.html
    );
    assert!(text.html.contains("<div class=\"wide\" tabindex=\"0\"><table>"), "{}", text.html);
}
