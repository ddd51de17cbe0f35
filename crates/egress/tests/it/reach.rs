//! What a resolver can and can't talk the egress into.

use crate::upstream::{Answers, Upstream, egress_with, loopback};
use topdog_egress::{AllowRule, Connection, EgressError, EgressPolicy, Forbidden, Origin};

fn named(upstream: &Upstream) -> Origin {
    Origin::parse(&format!("http://models.example.com:{}", upstream.address.port())).unwrap()
}

fn refusal(result: Result<Connection, EgressError>) -> EgressError {
    result.err().expect("the connection was allowed")
}

#[tokio::test]
async fn a_name_is_resolved_once_and_its_checked_address_connected() {
    let upstream = Upstream::bind().await;
    let elsewhere = Upstream::bind_at(&format!("127.0.0.2:{}", upstream.address.port())).await;
    let rebinder = Answers::new([&["127.0.0.1"], &["127.0.0.2"]]);
    let egress = egress_with(loopback(), rebinder.clone());

    assert!(egress.connect(&named(&upstream)).await.is_ok());
    assert_eq!(rebinder.asked(), 1, "a second answer must have no chance");
    upstream.accept().await;

    assert_eq!(refusal(egress.connect(&named(&upstream)).await), Forbidden::Address.into());
    assert_eq!(rebinder.asked(), 2);
    assert!(elsewhere.is_left_alone().await);
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn one_forbidden_answer_refuses_them_all() {
    let upstream = Upstream::bind().await;
    for (bad, reason) in [
        ("10.0.0.1", Forbidden::Address),
        ("169.254.169.254", Forbidden::Metadata),
        ("::ffff:169.254.169.254", Forbidden::Metadata),
        ("fd00:ec2::254", Forbidden::Metadata),
    ] {
        for answers in [[bad, "127.0.0.1"], ["127.0.0.1", bad]] {
            let egress = egress_with(loopback(), Answers::new([&answers]));
            assert_eq!(refusal(egress.connect(&named(&upstream)).await), reason.into(), "{answers:?}");
        }
    }
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn ipv6_only_names_are_judged_and_reached() {
    let refused = egress_with(loopback(), Answers::new([&["fe80::1"]]));
    let upstream = Upstream::bind_at("[::1]:0").await;
    assert_eq!(refusal(refused.connect(&named(&upstream)).await), Forbidden::Address.into());
    let egress = egress_with(loopback(), Answers::new([&["::1"]]));
    assert!(egress.connect(&named(&upstream)).await.is_ok());
    upstream.accept().await;
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_is_closed() {
    let upstream = Upstream::bind().await;
    let policy =
        loopback().allow(AllowRule { net: "127.0.0.9/32".parse().unwrap(), ports: None, plain_http: true });
    let egress = egress_with(policy, Answers::new([&["127.0.0.9", "127.0.0.1"]]));
    assert!(egress.connect(&named(&upstream)).await.is_ok());
    upstream.accept().await;
}

#[tokio::test]
async fn plain_http_to_a_name_is_kept_only_where_the_name_leads_to_what_is_allowed() {
    let check = async |answers: &[&'static str], url: &str| {
        egress_with(loopback(), Answers::new([answers])).check(&Origin::parse(url).unwrap()).await
    };
    let plain = "http://models.example.com/v1";
    assert_eq!(check(&["127.0.0.1"], plain).await, Ok(()));
    assert_eq!(check(&["93.184.216.34"], plain).await, Err(Forbidden::PlainHttp.into()));
    assert_eq!(check(&["127.0.0.1", "93.184.216.34"], plain).await, Err(Forbidden::PlainHttp.into()));
    assert_eq!(check(&[], plain).await, Err(EgressError::Unresolvable));
    // What is encrypted may go anywhere public, wherever that is by then.
    assert_eq!(check(&[], "https://models.example.com/v1").await, Ok(()));
}

#[tokio::test]
async fn literals_never_meet_the_resolver() {
    let resolver = Answers::new([]);
    let egress = egress_with(EgressPolicy::new(), resolver.clone());
    for url in ["https://2130706433/", "https://[::ffff:127.0.0.1]/", "https://0177.0.0.1/"] {
        let origin = Origin::parse(url).unwrap();
        assert_eq!(refusal(egress.connect(&origin).await), Forbidden::Address.into(), "{url}");
    }
    assert_eq!(resolver.asked(), 0);
}

#[tokio::test]
async fn a_private_name_needs_a_rule_for_what_it_resolves_to() {
    let upstream = Upstream::bind().await;
    let origin = Origin::parse(&format!("https://localhost:{}", upstream.address.port())).unwrap();
    let public = egress_with(loopback(), Answers::new([&["8.8.8.8"]]));
    assert_eq!(refusal(public.connect(&origin).await), Forbidden::Name.into());
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn this_servers_own_port_is_refused_by_any_address_of_the_machine() {
    let upstream = Upstream::bind_at("0.0.0.0:0").await;
    let own = upstream.address;
    let policy = EgressPolicy::operator().deny_listener(own);
    let egress = egress_with(policy, Answers::new([]));
    let mut targets = vec!["127.0.0.1".to_owned(), "127.0.0.3".to_owned(), "0.0.0.0".to_owned()];
    targets.extend(address_of_this_machine());
    for ip in targets {
        let origin = Origin::parse(&format!("http://{ip}:{}", own.port())).unwrap();
        assert_eq!(refusal(egress.connect(&origin).await), Forbidden::OwnListener.into(), "{ip}");
    }
}

/// The address that this machine would use to talk to the world, if it has one; nothing is sent.
fn address_of_this_machine() -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("8.8.8.8:53").ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

#[tokio::test]
async fn nobody_there_and_no_such_name_are_told_apart_for_the_operator_only() {
    let gone = Upstream::bind().await;
    let origin = gone.origin();
    drop(gone);
    let egress = egress_with(loopback(), Answers::new([&[]]));
    let closed = refusal(egress.connect(&origin).await);
    assert_eq!(closed, EgressError::ConnectFailed);
    let unknown = refusal(egress.connect(&Origin::parse("https://nowhere.example").unwrap()).await);
    assert_eq!(unknown, EgressError::Unresolvable);
    assert_eq!(closed.public_reason(), unknown.public_reason());
}

#[tokio::test]
async fn a_silent_tls_peer_and_a_plain_one_fail_cleanly() {
    let upstream = Upstream::bind().await;
    let origin = Origin::parse(&format!("https://{}", upstream.address)).unwrap();
    let egress = egress_with(loopback(), Answers::new([]));
    let silent = async { (egress.connect(&origin).await, upstream.accept().await) };
    let (result, _held_open) = silent.await;
    assert_eq!(refusal(result), EgressError::ConnectTimeout);
    let plain = tokio::join!(egress.connect(&origin), async {
        let mut peer = upstream.accept().await;
        peer.write("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.closed().await;
    });
    assert_eq!(refusal(plain.0), EgressError::Tls);
}
