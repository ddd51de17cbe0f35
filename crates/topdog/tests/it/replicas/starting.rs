//! Replicas that all start at once, on a database that is empty.

use super::{places, shared};
use crate::engines::Database;
use crate::http::try_send;
use crate::server::{Setup, chat};
use crate::upstream::{Reply, Upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_start_at_once_on_an_empty_database() {
    let Some(database) = Database::postgres().await else { return };
    let upstream = Upstream::start(Reply::Completion).await;
    let places = places(4);
    let setup = shared(&places, &database.keep(Setup::with_upstream(&upstream)));
    let [one, two, three, four] = &*places else { unreachable!() };
    let (one, two, three, four) =
        tokio::join!(one.start(&setup), two.start(&setup), three.start(&setup), four.start(&setup));
    let acme = one.organisation("acme", "PRO").await;
    for server in [&one, &two, &three, &four] {
        let serves = async || try_send(server.gateway, &acme.chat(&chat())).await.unwrap().status() == 200;
        server.until("it serves the key that another has made", serves).await;
    }
    let told = one.cli(&["audit", "verify", "--org", "acme"]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}
