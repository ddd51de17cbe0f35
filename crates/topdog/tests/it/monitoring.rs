//! Alert rules and dashboards name only what a running server really tells.

use crate::server::{Place, Server, Setup, chat, streamed_chat};
use crate::upstream::{Reply, Upstream};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[tokio::test]
async fn rules_and_dashboards_name_only_metrics_and_labels_that_a_server_has() {
    let live = live().await;
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap().replace("\\\"", "\"");
        let named = named(&text);
        assert!(!named.is_empty() || file.ends_with("objectives.yml"), "{} names nothing", file.display());
        for (metric, labels) in named {
            let has = live.get(&metric);
            let has = has.unwrap_or_else(|| panic!("{}: no server has {metric}", file.display()));
            let unknown: Vec<_> =
                labels.difference(has).filter(|label| !OF_PROMETHEUS.contains(&&***label)).collect();
            assert!(unknown.is_empty(), "{}: {metric} has no {unknown:?}, but {has:?}", file.display());
        }
    }
}

#[tokio::test]
async fn quantiles_can_be_told_of_every_histogram() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    one_request(&server).await;
    let text = server.admin("/metrics").await.text();
    for histogram in ["gateway_overhead", "ttft", "request_duration"] {
        let bucket = format!("topdog_{histogram}_seconds_bucket{{");
        let last = text.lines().rfind(|line| line.starts_with(&bucket)).unwrap_or_else(|| panic!("{text}"));
        // Without a bucket for everything, Prometheus tells no quantile.
        assert!(last.contains("le=\"+Inf\"") && last.ends_with(" 1"), "{last}");
    }
}

/// Added by whoever scrapes.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

async fn one_request(server: &Server<'_>) {
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&chat())).await;
    assert_eq!(line.answer().await.unwrap().status(), 200);
}

/// Every metric, with all labels that it has anywhere, of a server that has answered, streamed and refused.
async fn live() -> BTreeMap<String, BTreeSet<String>> {
    let upstream = Upstream::start(Reply::Stream { events: 2, every: Duration::from_millis(1) }).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "TEAMS-SMALL").await;
    for body in [streamed_chat(), chat()] {
        let mut line = server.line().await;
        line.send(acme.chat(&body)).await;
        line.answer().await;
    }
    let mut line = server.line().await;
    line.send(acme.post("/v1/chat/completions", b"no JSON")).await;
    assert_eq!(line.answer().await.unwrap().status(), 400);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let text = server.admin("/metrics").await.text();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        found.entry(name.to_owned()).or_default().extend(label_names(labels.trim_end_matches('}')));
    }
    found
}

fn files() -> Vec<PathBuf> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let folders = ["prometheus", "grafana"].map(|name| std::fs::read_dir(deploy.join(name)).unwrap());
    let mut files: Vec<_> = folders.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yml" || ending == "json"));
    assert!(files.len() >= 5, "{files:?}");
    files
}

/// Each metric of ours that an expression in the text names, with the labels that it is selected by. What a rule
/// records has a colon in its name.
fn named(text: &str) -> Vec<(String, BTreeSet<String>)> {
    const PREFIX: &str = "topdog_";
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let starts = text.match_indices(PREFIX).filter(|(at, _)| !text[..*at].ends_with(is_name));
    let mut found = Vec::new();
    for (at, _) in starts {
        let rest = &text[at..];
        let (name, rest) = rest.split_at(rest.find(|c| !is_name(c)).unwrap());
        let selector = rest.strip_prefix('{').map(|rest| rest.split_once('}').unwrap().0);
        found.push((name.to_owned(), selector.map(label_names).unwrap_or_default()));
    }
    found
}

/// The names in `a="x",b=~"y"`.
fn label_names(selector: &str) -> BTreeSet<String> {
    let odd = selector.split('"').step_by(2);
    odd.map(|part| part.trim_matches([',', ' ', '=', '~', '!']))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
