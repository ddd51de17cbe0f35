//! From where a request comes, as a gateway of our own in front says: a key that is bound to networks is held to them.

use crate::rig::{Rig, Wish, run};

/// A key for the networks that the gateway in front is in, too: who passes for it passes the list.
async fn behind_a_proxy() -> Rig {
    let wish = Wish {
        config: |c| c.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()],
        facts: |f| f.api_keys[0].ip_allow = vec!["127.0.0.0/8".parse().unwrap()],
        ..Wish::default()
    };
    Rig::start(wish).await
}

const REFUSED: (u16, &str) = (403, "ip_not_allowed");
const UNREADABLE: (u16, &str) = (400, "invalid_header");

#[test]
fn nothing_that_a_client_writes_makes_its_address_the_proxys() {
    run(async {
        let rig = behind_a_proxy().await;
        for (line, expected) in [
            ("x-forwarded-for: 8.8.8.8", REFUSED),
            ("x-forwarded-for: 127.0.0.9, 8.8.8.8", REFUSED),
            ("x-forwarded-for: garbage, 8.8.8.8", REFUSED),
            ("x-forwarded-for: garbage\r\nx-forwarded-for: 8.8.8.8", REFUSED),
            ("x-forwarded-for: \u{e9}\r\nx-forwarded-for: 8.8.8.8, 127.0.0.1", REFUSED),
            ("x-forwarded-for: 8.8.8.8:4711", REFUSED),
            ("x-forwarded-for: [2001:db8::1]:4711", REFUSED),
            ("x-forwarded-for: 8.8.8.8, garbage", UNREADABLE),
            ("x-forwarded-for: unknown", UNREADABLE),
            ("x-forwarded-for: \u{e9}", UNREADABLE),
        ] {
            let reply = rig.raw_with(line).await;
            assert_eq!((reply.status, reply.code().as_str()), expected, "{line}: {}", reply.body);
        }
        assert_eq!(rig.upstream.count(), 0);
        for line in
            ["x-forwarded-for: 127.0.0.9", "x-forwarded-for: 127.0.0.9:80, 127.0.0.1", "x-forwarded-for:"]
        {
            assert_eq!(rig.raw_with(line).await.status, 200, "{line}");
        }
    });
}

#[test]
fn who_is_not_trusted_is_not_believed() {
    run(async {
        let facts: fn(&mut _) = |f: &mut topdog_domain::directory::OrgFacts| {
            f.api_keys[0].ip_allow = vec!["127.0.0.0/8".parse().unwrap()];
        };
        let rig = Rig::start(Wish { facts, ..Wish::default() }).await;
        for line in ["x-forwarded-for: 8.8.8.8", "x-forwarded-for: garbage"] {
            assert_eq!(rig.raw_with(line).await.status, 200, "{line}");
        }
    });
}

#[test]
fn the_control_plane_is_told_the_same_address_and_no_label_outside_the_lists() {
    run(async {
        let rig = behind_a_proxy().await;
        let ask = async |line: &str| {
            let head = "GET /api/v1/organisations HTTP/1.1\r\nhost: td\r\nconnection: close\r\n";
            rig.raw(&format!("{head}{line}\r\n\r\n")).await
        };
        for (line, client) in [
            ("x-plan: Pro", "127.0.0.1"),
            ("x-forwarded-for: 8.8.8.8:4711", "8.8.8.8"),
            ("x-forwarded-for: garbage, 8.8.8.8, 127.0.0.1", "8.8.8.8"),
        ] {
            assert_eq!(ask(line).await.body, format!("control of {client}"), "{line}");
        }
        for (line, code) in [
            ("x-forwarded-for: 8.8.8.8, garbage", "invalid_header"),
            ("x-plan: Gold", "invalid_label"),
            ("x-data-segment: general\r\nx-data-segment: secret", "invalid_label"),
        ] {
            let reply = ask(line).await;
            assert_eq!(
                (reply.status, reply.json()["code"].as_str().unwrap()),
                (400, code),
                "{line}: {}",
                reply.body
            );
            assert!(reply.head.contains("application/problem+json"), "{}", reply.head);
        }
    });
}
