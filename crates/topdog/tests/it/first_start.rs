//! What happens on an empty machine, and what refuses to start.

use crate::http::{Line, request};
use crate::server::{Place, Setup};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

#[tokio::test]
async fn an_empty_folder_becomes_a_private_installation() {
    let place = Place::new();
    let server = place.start(&Setup::new()).await;
    let data = place.data_dir();
    for file in ["root.key", "operator.token", "topdog.db", "spool", "run/listen.json"] {
        assert!(data.join(file).exists(), "no {file}");
    }
    assert_nothing_for_others(&data);
    let printed = place.stdout();
    assert!(printed.contains("topdog init --data-dir ") && printed.contains(&server.url), "{printed}");
    assert!(place.log().contains("move it to a secret store"));
    assert_eq!(server.admin("/livez").await.status(), 200);
    assert_eq!(server.admin("/readyz").await.json()["status"], "ready");
    assert_eq!(server.admin("/version").await.json()["name"], "topdog");
    let mut line = server.line().await;
    line.send(request("GET", "/readyz", &[], b"")).await;
    assert_eq!(line.answer().await.unwrap().status(), 200);
}

fn assert_nothing_for_others(path: &Path) {
    let about = path.metadata().unwrap();
    assert_eq!(about.mode() & 0o077, 0, "{} has mode {:o}", path.display(), about.mode());
    if about.is_dir() {
        for entry in path.read_dir().unwrap() {
            assert_nothing_for_others(&entry.unwrap().path());
        }
    }
}

#[tokio::test]
async fn a_second_start_needs_no_more_words() {
    let place = Place::new();
    let server = place.start(&Setup::new()).await;
    server.organisation("acme", "PRO").await;
    assert!(server.stop().success());
    let server = place.start(&Setup::new()).await;
    assert!(!place.stdout().contains("topdog init"));
    assert!(!place.log().contains("a root key was made"));
    drop(server);
}

#[tokio::test]
async fn without_its_root_key_an_installation_does_not_start() {
    let place = Place::new();
    place.start(&Setup::new()).await.kill();
    let key = place.data_dir().join("root.key");
    let away = place.path().join("away");
    std::fs::rename(&key, &away).unwrap();
    place.secrets.moved(&key, &away);
    let (status, said) = place.run_to_end(&Setup::new());
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("root.key is missing") && said.contains("bring it back"), "{said}");
    assert!(!key.exists(), "a second root key hides that the first is lost");
    let elsewhere = format!("vault.root_key=file:{}", away.display());
    place.start(&Setup::new().set(&[&elsewhere])).await;
}

#[tokio::test]
async fn another_root_key_is_not_taken_for_the_right_one() {
    let (place, other) = (Place::new(), Place::new());
    place.start(&Setup::new()).await.kill();
    other.start(&Setup::new()).await.kill();
    std::fs::copy(other.data_dir().join("root.key"), place.data_dir().join("root.key")).unwrap();
    let (status, said) = place.run_to_end(&Setup::new());
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("which this node does not have"), "{said}");
}

#[test]
fn a_setting_that_is_not_there_is_refused_with_its_line() {
    let place = Place::new();
    let (status, said) = place.run_to_end(&Setup::new().config("[server]\nmax_body_byte = 1"));
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("topdog.toml:2: there is no setting `server.max_body_byte`"), "{said}");
    assert!(said.contains("did you mean `server.max_body_bytes`?"), "{said}");
    assert!(!place.data_dir().exists(), "what is wrong is said before anything is made");
}

#[test]
fn a_label_variable_outside_its_list_is_refused() {
    for (name, value, allowed) in [
        ("DEFAULT_PLAN", "Gold", "Starter, Pro or Enterprise"),
        ("DEFAULT_DATA_SEGMENT", "secret", "general, medical or scientific"),
        ("ENABLE_REGULATED_DOMAINS", "maybe", "true or false"),
        ("DEFAULT_REGULATED_SEGMENT", "general", "medical or scientific"),
    ] {
        let (status, said) = Place::new().run_to_end(&Setup::new().variable(name, value));
        assert_eq!(status.code(), Some(2));
        assert!(said.contains(name) && said.contains(allowed), "{said}");
    }
}

#[test]
fn a_provider_on_a_private_address_needs_an_allow_rule() {
    let config = "[providers.openai]\nbase_url = 'http://127.0.0.1:9/v1'";
    let (status, said) = Place::new().run_to_end(&Setup::new().config(config));
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("providers.openai.base_url") && said.contains("[[egress.allow]]"), "{said}");
}

#[tokio::test]
async fn one_folder_has_one_server() {
    let place = Place::new();
    let server = place.start(&Setup::new()).await;
    let second = Setup::new();
    let log = place.log();
    let (status, said) = place.run_to_end(&second);
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("another topdog serves from"), "{said} {log}");
    assert_eq!(server.admin("/livez").await.status(), 200);
}

#[test]
fn a_folder_that_others_can_read_is_refused() {
    let place = Place::new();
    std::fs::create_dir(place.data_dir()).unwrap();
    std::fs::set_permissions(place.data_dir(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (status, said) = place.run_to_end(&Setup::new());
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("open to other users") && said.contains("chmod 700"), "{said}");
}

#[tokio::test]
async fn a_demo_streams_an_answer_to_what_is_pasted() {
    let place = Place::new();
    let temporary = place.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut demo = Demo::start(&place, &temporary).await;
    let printed = place.stdout();
    let between = |before: &str, after: &str| {
        let rest = printed.split_once(before).unwrap().1;
        rest.split_once(after).unwrap().0.to_owned()
    };
    let key = between("Bearer ", "'");
    let address = between("curl -N http://", "/").parse().unwrap();
    let body = between("-d '", "'");
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let mut line = Line::connect(address).await;
    line.send(request("POST", "/v1/chat/completions", &headers, body.as_bytes())).await;
    let answer = line.answer().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(
        answer.text().contains("data: ") && answer.text().ends_with("data: [DONE]\n\n"),
        "{}",
        answer.text()
    );
    assert!(place.log().contains("the test provider is enabled"));

    let pid = rustix::process::Pid::from_child(&demo.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(demo.child.wait().unwrap().success());
    assert_eq!(temporary.read_dir().unwrap().count(), 0, "the demo's folder goes with it");
}

/// A running demo; it is killed when it is dropped.
struct Demo {
    child: Child,
    dir: PathBuf,
}

impl Demo {
    async fn start(place: &Place, temporary: &Path) -> Self {
        let setup = Setup::new().arguments(&["--demo"]).variable("TMPDIR", temporary.to_str().unwrap());
        let child = place.spawn(&setup);
        let dir = temporary.join(format!("topdog-demo-{}", child.id()));
        let demo = Self { child, dir };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !place.stdout().contains("topdog provider-keys add") {
            assert!(Instant::now() < deadline, "{}", place.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        demo
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn what_a_killed_demo_leaves_goes_when_the_next_begins_and_nothing_else() {
    let place = Place::new();
    let [temporary, elsewhere] = ["tmp", "elsewhere"].map(|name| place.path().join(name));
    std::fs::create_dir_all(&elsewhere).unwrap();
    // A folder without the mark, one with a person's name, and a link.
    let of_others = ["topdog-demo-7", "topdog-demo-mine", "another-1"].map(|name| temporary.join(name));
    for dir in &of_others {
        std::fs::create_dir_all(dir).unwrap();
    }
    for dir in [&elsewhere, &of_others[1], &of_others[2]] {
        std::fs::write(dir.join("temporary"), "").unwrap();
    }
    std::os::unix::fs::symlink(&elsewhere, temporary.join("topdog-demo-1")).unwrap();

    let killed = Demo::start(&place, &temporary).await;
    let left = killed.dir.clone();
    drop(killed);
    assert!(left.join("topdog.db").exists());
    std::os::unix::fs::symlink(&elsewhere, left.join("link")).unwrap();
    let living = Demo::start(&place, &temporary).await;
    assert!(!left.exists(), "nobody lives there");
    let _other = Demo::start(&place, &temporary).await;
    assert!(living.dir.join("topdog.db").exists(), "its demo lives");
    assert!(elsewhere.join("temporary").exists(), "no link is followed");
    for dir in &of_others {
        assert!(dir.exists(), "{}", dir.display());
    }
    if let Some(recorders) = place.recorder_dir() {
        assert_eq!(recorders.read_dir().unwrap().count(), 0, "a demo has none");
    }
}

#[test]
fn a_demo_is_refused_where_others_can_reach_it() {
    let setup = Setup::new().arguments(&["--demo", "--set", "server.listen=0.0.0.0:0"]);
    let (status, said) = Place::new().run_to_end(&setup);
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("test_provider.enabled") && said.contains("can be reached by others"), "{said}");
}
