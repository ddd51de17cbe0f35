use std::os::unix::fs::symlink;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use topdog_egress::{BaseUrl, Client, Egress, EgressPolicy};

use super::*;

#[test]
fn good_references_read_and_write_alike() {
    for text in [
        "env:OPENAI_API_KEY",
        "env:_x1",
        "file:/run/secrets/openai",
        "file:/a b/c",
        "vault:secret/acme/openai#key",
        "vault:kv-v2/one#api.key",
    ] {
        assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
    }
}

#[test]
fn bad_references_are_refused() {
    let long = format!("env:{}", "A".repeat(2000));
    for text in [
        "",
        "env",
        "env:",
        "env:1A",
        "env:A B",
        "env:A=B",
        "env:Ä",
        "ENV:A",
        "env:A\n",
        "env:A\0",
        "file:",
        "file:relative",
        "file:/",
        "file:/etc/../key",
        "file:/etc/..",
        "file:/etc//key",
        "file:/etc/./key",
        "file:/etc/key/",
        "file:/etc/key\r\nX: y",
        "file:///etc/key",
        "vault:",
        "vault:secret#key",
        "vault:secret/#key",
        "vault:/a#key",
        "vault:secret/a",
        "vault:secret/a#",
        "vault:secret/../sys/seal#key",
        "vault:secret/a/..#key",
        "vault:secret/./a#key",
        "vault:secret//a#key",
        "vault:secret/a%2f..#key",
        "vault:secret/a?version=1#key",
        "vault:secret/a#key#two",
        "vault:secret/a b#key",
        "vault:../a/b#key",
        "https://example.com/key",
        "sk-real-key",
        &long,
    ] {
        assert_eq!(text.parse::<Reference>(), Err(BadReference), "{text}");
    }
}

#[tokio::test]
async fn variables_come_from_the_given_map_only() {
    let references = References::new().with_env([("KEY".to_owned(), SecretText::new(" sk-1\n".to_owned()))]);
    let found = references.fetch(&"env:KEY".parse().unwrap()).await.unwrap();
    assert_eq!(found.expose(), "sk-1");
    let missing = references.fetch(&"env:PATH".parse().unwrap()).await.err().unwrap();
    assert_eq!(missing, ReferenceError::NoVariable("PATH".to_owned()));
    assert!(missing.to_string().starts_with("the server's own environment has no variable PATH; set it"));
}

#[tokio::test]
async fn files_are_read_at_each_use_and_only_small_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let reference: Reference = format!("file:{}", path.display()).parse().unwrap();
    let references = References::new();
    let fetch = async || references.fetch(&reference).await;
    assert_eq!(fetch().await.err(), Some(ReferenceError::NoFile(path.clone())));
    let unreadable = Some(ReferenceError::Unreadable(path.clone()));
    for text in ["sk-1", "sk-2"] {
        std::fs::write(&path, format!("{text}\r\n")).unwrap();
        assert_eq!(fetch().await.unwrap().expose(), text);
    }
    std::fs::write(&path, vec![b'x'; 17 * 1024]).unwrap();
    assert_eq!(fetch().await.err(), unreadable);
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_eq!(fetch().await.err(), unreadable);
    std::fs::remove_file(&path).unwrap();
    symlink(folder.path(), &path).unwrap();
    assert_eq!(fetch().await.err(), unreadable);
}

#[tokio::test]
async fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let fetched = References::new().fetch(&format!("file:{}", path.display()).parse().unwrap()).await;
    assert_eq!(fetched.err(), Some(ReferenceError::Unreadable(path)));
}

#[tokio::test]
async fn nothing_of_top_dogs_own_is_fetched_by_whatever_path() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("data/run")).unwrap();
    std::fs::create_dir(at("keys")).unwrap();
    for name in ["data/operator.token", "data/run/deep", "keys/root.key", "keys/openai"] {
        std::fs::write(at(name), "top-secret\n").unwrap();
    }
    symlink(at("data"), at("keys/link")).unwrap();
    symlink(at("data/operator.token"), at("keys/token")).unwrap();
    symlink(at("keys/token"), at("keys/twice")).unwrap();
    std::fs::hard_link(at("keys/root.key"), at("keys/same")).unwrap();
    let references = References::new().without([at("data"), at("keys/root.key"), at("not/there")]);
    let fetch =
        async |path: &Path| references.fetch(&format!("file:{}", path.display()).parse().unwrap()).await;
    let through_proc =
        Path::new("/proc/self/root").join(at("data/operator.token").strip_prefix("/").unwrap());
    let refused = [
        at("data/operator.token"),
        at("data/run/deep"),
        at("keys/root.key"),
        at("keys/link/operator.token"),
        at("keys/link/run/deep"),
        at("keys/token"),
        at("keys/twice"),
        at("keys/same"),
        through_proc,
    ];
    for path in refused {
        let fetched = fetch(&path).await;
        assert_eq!(fetched.err(), Some(ReferenceError::Private(path)));
    }
    assert_eq!(fetch(&at("keys/openai")).await.unwrap().expose(), "top-secret");
}

/// Answers one request with these bytes, and gives back what was asked.
async fn serve_once(answer: String) -> (BaseUrl, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = BaseUrl::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let asked = tokio::spawn(async move {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(peer.read_u8().await.unwrap());
        }
        peer.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (base, asked)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn references_to(base: BaseUrl) -> References {
    let client = Client::new(Egress::new(EgressPolicy::operator()).unwrap());
    let token = SecretText::new("hvs.token\n".to_owned());
    References::new().with_kv(KvServer::new(client, base, &token, Some("team")).unwrap())
}

const PLACE: &str = "vault:secret/acme/openai#key";
const GOOD: &str =
    r#"{"request_id":"x","data":{"data":{"other":1,"key":" sk-\u0041bc "},"metadata":{"version":3}}}"#;

#[tokio::test]
async fn a_kv_field_is_fetched_as_the_engine_wants_to_be_asked() {
    let (base, asked) = serve_once(answer("200 OK", GOOD)).await;
    let found = references_to(base).fetch(&PLACE.parse().unwrap()).await.unwrap();
    assert_eq!(found.expose(), "sk-Abc");
    let asked = asked.await.unwrap().to_ascii_lowercase();
    assert!(asked.starts_with("get /v1/secret/data/acme/openai http/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nx-vault-token: hvs.token\r\n"), "{asked}");
    assert!(asked.contains("\r\nx-vault-namespace: team\r\n"), "{asked}");
}

#[tokio::test]
async fn what_a_kv_server_answers_instead_is_never_shown() {
    let too_large = format!(r#"{{"data":{{"data":{{"key":"{}"}}}}}}"#, "x".repeat(70_000));
    let cases = [
        ("404 Not Found", "{}", ReferenceError::NoField),
        ("403 Forbidden", r#"{"errors":["SECRET"]}"#, ReferenceError::Denied),
        ("500 Oops", "SECRET", ReferenceError::Unusable),
        ("302 Found", "SECRET", ReferenceError::Unusable),
        ("200 OK", "SECRET", ReferenceError::Unusable),
        ("200 OK", r#"{"data":{"key":"SECRET"}}"#, ReferenceError::NoField),
        ("200 OK", r#"{"data":{"data":null}}"#, ReferenceError::NoField),
        ("200 OK", r#"{"data":{"data":{"KEY":"SECRET"}}}"#, ReferenceError::NoField),
        ("200 OK", r#"{"data":{"data":{"key":["SECRET"]}}}"#, ReferenceError::Unusable),
        ("200 OK", too_large.as_str(), ReferenceError::Unreachable(EgressError::BodyTooLarge)),
    ];
    for (status, body, expected) in cases {
        let (base, _asked) = serve_once(answer(status, body)).await;
        let error = references_to(base).fetch(&PLACE.parse().unwrap()).await.err().unwrap();
        assert_eq!(error, expected, "{status}");
        assert!(!format!("{error} {error:?}").contains("SECRET"));
    }
}

#[tokio::test]
async fn without_a_kv_server_there_is_a_clear_refusal() {
    let error = References::new().fetch(&PLACE.parse().unwrap()).await.err();
    assert_eq!(error, Some(ReferenceError::NoKvServer));
}

#[test]
fn a_token_that_is_no_header_value_is_refused() {
    let client = Client::new(Egress::new(EgressPolicy::operator()).unwrap());
    let base = BaseUrl::parse("https://vault.example.com").unwrap();
    let token = SecretText::new("a\r\nx: y".to_owned());
    assert!(KvServer::new(client, base, &token, None).is_err());
}
