//! No secret is anywhere it has no business: every file, every log line, every answer is searched.

use crate::http::try_send;
use crate::server::{Place, Setup, chat, streamed_chat};
use crate::upstream::{Reply, Upstream};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use std::path::Path;

#[tokio::test]
async fn no_key_is_in_any_file_log_metric_or_answer() {
    let place = Place::new();
    let mut secrets = Vec::new();
    let mut answers = String::new();
    for reply in [Reply::Completion, Reply::Refuse { status: 401 }, Reply::StreamThenDie { events: 1 }] {
        let upstream = Upstream::start(reply).await;
        let server = place.start(&Setup::with_upstream(&upstream).set(&["log.level=trace"])).await;
        let name = format!("org{}", secrets.len());
        let tenant = server.organisation(&name, "ENTERPRISE-STANDARD").await;
        for body in [chat(), streamed_chat()] {
            let answer = try_send(server.gateway, &tenant.chat(&body)).await.unwrap();
            answers.push_str(&answer.text());
            answers.push_str(&format!("{:?}", answer.head));
        }
        server.until("the requests are recorded", async || server.usage_events(&name).await.len() == 2).await;
        for path in ["api-keys", "provider-keys", "usage/events", "debug-logs", "audit"] {
            let path = format!("/organisations/{name}/{path}");
            answers.push_str(&server.operator("GET", &path, &Value::Null).await.text());
        }
        answers.push_str(&server.admin("/metrics").await.text());
        secrets.push(tenant.provider_key);
        secrets.push(tenant.api_key);
        std::fs::rename(place.path().join("stderr"), place.path().join(format!("log-{name}"))).unwrap();
        assert!(server.stop().success());
    }
    assert!(answers.contains("bad key"), "the provider's error, which repeats the key, is passed on");
    let needles: Vec<_> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    for needle in &needles {
        assert!(!answers.contains(needle.as_str()), "a secret is in an answer");
    }
    std::fs::write(place.path().join("planted"), &needles[0]).unwrap();
    let found = search(place.path(), &needles);
    assert_eq!(found, ["planted"], "secrets are in these files, or the planted one was not found");
}

/// A secret as it is and as it may have been written; of our own keys the part behind the public id.
fn forms(secret: &str) -> Vec<String> {
    let secret = secret.strip_prefix("td_live_").map_or(secret, |rest| &rest[12..]);
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        secret.to_owned(),
        hex.clone(),
        hex.to_ascii_uppercase(),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ]
}

/// The files below a folder that hold one of these.
fn search(folder: &Path, needles: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(search(&path, needles));
        } else {
            let content = std::fs::read(&path).unwrap();
            let holds = |needle: &String| memchr::memmem::find(&content, needle.as_bytes()).is_some();
            if needles.iter().any(holds) {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found
}
