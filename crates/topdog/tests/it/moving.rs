//! An installation moves from SQLite to Postgres, and nobody notices but by the pause.

use crate::engines::Database;
use crate::http::try_send;
use crate::server::{Place, Setup, chat};
use crate::upstream::{Reply, Upstream};
use std::process::{Command, Output, Stdio};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_from_sqlite_to_postgres() {
    let Some(database) = Database::postgres().await else { return };
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let setup = Setup::with_upstream(&upstream);
    let server = place.start(&setup).await;
    let acme = server.organisation("acme", "PRO").await;
    for _ in 0..5 {
        assert_eq!(try_send(server.gateway, &acme.chat(&chat())).await.unwrap().status(), 200);
    }
    let copy = || topdog(&place, &database, &["db", "copy", "--to", "env:TARGET"]);
    let (code, said) = told(&copy());
    assert!(code == Some(6) && said.contains("another topdog serves"), "{code:?} {said}");
    // What is in the spool only is shipped to the new database.
    server.kill();
    let (code, said) =
        told(&topdog(&place, &database, &["db", "copy", "--to", "postgres://user:pw@host/db"]));
    assert!(code == Some(2) && !said.contains("pw@"), "{code:?} {said}");
    let (code, said) = told(&copy());
    assert!(
        code == Some(0) && said.contains("organisations") && said.contains("audit entries"),
        "{code:?} {said}"
    );
    let (code, said) = told(&copy());
    assert!(code == Some(1) && said.contains("not empty"), "{code:?} {said}");

    let server = place.start(&database.keep(setup)).await;
    assert_eq!(try_send(server.gateway, &acme.chat(&chat())).await.unwrap().status(), 200);
    let sent = upstream.requests();
    let bearer = format!("Bearer {}", acme.provider_key);
    assert!(sent.iter().all(|request| request.header("authorization") == Some(&bearer)), "{sent:?}");
    server
        .until("each request is recorded once", async || server.usage_events("acme").await.len() == 6)
        .await;
    let verified = server.cli(&["audit", "verify", "--org", "acme"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[tokio::test]
async fn the_schema_is_brought_up_to_date_without_a_server() {
    let Some(database) = Database::postgres().await else { return };
    let place = Place::new();
    let migrate = || {
        let variables = [("TOPDOG_STORE__URL", "env:TARGET")];
        run(&place, &database, &["migrate"], &variables)
    };
    // Any number may at once.
    let both = std::thread::scope(|threads| {
        [threads.spawn(migrate), threads.spawn(migrate)].map(|t| t.join().unwrap())
    });
    for output in both {
        let (code, said) = told(&output);
        assert!(code == Some(0) && said.contains("up to date"), "{code:?} {said}");
    }
    let server = place.start(&database.keep(Setup::new())).await;
    assert_eq!(server.operator("GET", "/tiers", &serde_json::Value::Null).await.status(), 200);
}

fn topdog(place: &Place, database: &Database, arguments: &[&str]) -> Output {
    run(place, database, arguments, &[])
}

fn run(place: &Place, database: &Database, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_topdog"));
    command.args(arguments).arg("--data-dir").arg(place.data_dir()).env_clear().env("TARGET", database.url());
    let output = command.envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
    place.secrets.commanded(arguments, "", &output);
    output
}

fn told(output: &Output) -> (Option<i32>, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}
