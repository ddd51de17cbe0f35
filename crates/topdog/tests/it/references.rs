//! Provider keys by reference: tried when they are given, fetched when they are used, never from the server's own.

use crate::http::try_send;
use crate::server::{Place, Server, Setup, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::json;
use std::path::Path;

/// An organisation with a Top Dog key and no provider key; the Top Dog key.
async fn organisation(server: &Server<'_>) -> String {
    let made = server.operator("POST", "/organisations", &json!({ "name": "acme", "tier": "PRO" })).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let body = json!({ "name": "test", "scopes": ["llm"] });
    let made = server.operator("POST", "/organisations/acme/api-keys", &body).await;
    made.json()["secret"].as_str().unwrap().to_owned()
}

/// Status, code and detail of giving the organisation a key by reference.
async fn refer(server: &Server<'_>, reference: &str) -> (u16, String, String) {
    let body = json!({ "provider": "openai", "name": "default", "reference": reference });
    let answer = server.operator("POST", "/organisations/acme/provider-keys", &body).await;
    let problem = answer.json();
    let said = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
    (answer.status(), said("code"), said("detail"))
}

async fn ask(server: &Server<'_>, api_key: &str) -> (u16, String) {
    let tenant = crate::server::Tenant { api_key: api_key.to_owned(), provider_key: String::new() };
    let answer = try_send(server.gateway, &tenant.chat(&chat())).await.unwrap();
    (answer.status(), answer.text())
}

fn file(path: &Path) -> String {
    format!("file:{}", path.display())
}

#[tokio::test]
async fn nothing_of_the_servers_own_goes_to_a_provider() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    // A cache that keeps nothing shows at once what is fetched.
    let setup = Setup::with_upstream(&upstream).set(&["vault.cache_ttl_seconds=0"]);
    let server = place.start(&setup).await;
    let api_key = organisation(&server).await;
    let own = |name: &str| place.data_dir().join(name);
    let keys = place.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    let (link, folder, key) = (keys.join("link"), keys.join("folder"), keys.join("openai"));
    std::os::unix::fs::symlink(own("operator.token"), &link).unwrap();
    std::os::unix::fs::symlink(place.data_dir(), &folder).unwrap();
    for path in [own("operator.token"), own("root.key"), link, folder.join("operator.token")] {
        let (status, code, detail) = refer(&server, &file(&path)).await;
        assert_eq!((status, code.as_str()), (422, "invalid_field"), "{}: {detail}", path.display());
        assert!(detail.contains("Top Dog's own"), "{detail}");
    }

    std::fs::write(&key, "sk-from-a-file\n").unwrap();
    place.keep_secret(&key, "sk-from-a-file");
    assert_eq!(refer(&server, &file(&key)).await.0, 201);
    assert_eq!(ask(&server, &api_key).await.0, 200);
    // What was a key becomes a link to the server's own.
    std::fs::remove_file(&key).unwrap();
    std::os::unix::fs::symlink(own("operator.token"), &key).unwrap();
    let (status, text) = ask(&server, &api_key).await;
    assert_eq!(status, 502, "{text}");
    assert!(text.contains("provider_key_unreachable") && text.contains("the file"), "{text}");
    assert!(!text.contains(&server.operator_token));
    let sent = upstream.requests();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].header("authorization"), Some("Bearer sk-from-a-file"));
}

#[tokio::test]
async fn a_reference_that_leads_nowhere_is_said_when_it_is_given() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream).variable("THERE", "sk-there")).await;
    let api_key = organisation(&server).await;
    let (status, code, detail) = refer(&server, "env:OPENAI_API_KEY").await;
    assert_eq!((status, code.as_str()), (422, "reference_unreachable"));
    assert!(
        detail.contains("the server's own environment has no variable OPENAI_API_KEY; set it"),
        "{detail}"
    );

    let apply = |variable: &str| {
        let wish = place.path().join("topdog.org.toml");
        let text = format!(
            "[[organisation]]\nname = 'acme'\ntier = 'PRO'\n[[organisation.provider_key]]\nprovider = 'openai'\n\
             from = 'env:{variable}'\n"
        );
        std::fs::write(&wish, text).unwrap();
        let output = server.cli(&["apply", "-f", wish.to_str().unwrap()]);
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (is_done, told) = apply("OPENAI_API_KEY");
    assert!(
        !is_done && told.contains("no variable OPENAI_API_KEY; set it where `topdog serve` runs"),
        "{told}"
    );
    assert!(told.contains("`seal = true`"), "{told}");
    let (is_done, told) = apply("THERE");
    assert!(is_done, "{told}");
    assert_eq!(ask(&server, &api_key).await.0, 200);
    assert_eq!(upstream.requests()[0].header("authorization"), Some("Bearer sk-there"));
}
