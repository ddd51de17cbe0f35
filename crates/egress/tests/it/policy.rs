//! What the policy refuses, written down a second time and independently of its own table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;
use topdog_egress::{AllowRule, BaseUrl, EgressError, EgressPolicy, Forbidden, Origin, Scheme, UrlFault};

fn judge(policy: &EgressPolicy, ip: &str) -> Result<(), EgressError> {
    policy.check_addr(SocketAddr::new(ip.parse().unwrap(), 443), Scheme::Https)
}

fn forbidden(reason: Forbidden) -> Result<(), EgressError> {
    Err(EgressError::Forbidden { reason })
}

fn rule(net: &str) -> AllowRule {
    AllowRule { net: net.parse().unwrap(), ports: None, plain_http: false }
}

/// First and last address of each block, and a neighbour that is free (where the neighbour is not itself in
/// another block).
const BLOCKS: &[(&str, &str, Option<&str>)] = &[
    ("0.0.0.0", "0.255.255.255", Some("1.0.0.0")),
    ("10.0.0.0", "10.255.255.255", Some("11.0.0.0")),
    ("100.64.0.0", "100.127.255.255", Some("100.63.255.255")),
    ("127.0.0.0", "127.255.255.255", Some("128.0.0.0")),
    ("169.254.0.0", "169.254.255.255", Some("169.255.0.0")),
    ("172.16.0.0", "172.31.255.255", Some("172.32.0.0")),
    ("192.0.0.0", "192.0.0.255", Some("192.0.1.0")),
    ("192.0.2.0", "192.0.2.255", Some("192.0.3.0")),
    ("192.88.99.0", "192.88.99.255", Some("192.88.98.255")),
    ("192.168.0.0", "192.168.255.255", Some("192.167.255.255")),
    ("198.18.0.0", "198.19.255.255", Some("198.20.0.0")),
    ("198.51.100.0", "198.51.100.255", Some("198.51.101.0")),
    ("203.0.113.0", "203.0.113.255", Some("203.0.114.0")),
    ("224.0.0.0", "239.255.255.255", Some("223.255.255.255")),
    ("240.0.0.0", "255.255.255.255", None),
    ("::", "::ffff:ffff", Some("::1:0:0:0")),
    ("::ffff:0:0:0", "::ffff:0:ffff:ffff", None),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Some("64:ff9b:2::")),
    ("100::", "100::ffff:ffff:ffff:ffff", Some("100:0:0:1::")),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:1::")),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:db9::")),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3fff:1000::")),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("5f01::")),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("fbff::")),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("fe7f::")),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
];

#[test]
fn every_block_is_refused_to_its_edges_and_no_further() {
    let policy = EgressPolicy::new();
    for (first, last, neighbour) in BLOCKS {
        assert!(judge(&policy, first).is_err(), "{first} got through");
        assert!(judge(&policy, last).is_err(), "{last} got through");
        if let Some(neighbour) = neighbour {
            assert_eq!(judge(&policy, neighbour), Ok(()), "{neighbour} is public");
        }
    }
    for public in ["1.1.1.1", "8.8.8.8", "104.18.7.192", "2606:4700::6812:7c0", "2a00:1450:4001::200e"] {
        assert_eq!(judge(&policy, public), Ok(()), "{public} is public");
    }
}

#[test]
fn metadata_services_stay_refused_under_every_rule() {
    let hidden = [
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "192.0.0.192",
        "100.100.100.200",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fd00:42::42",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::",
        "2002:a9fe:a9fe::1",
        "::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe",
        "2001:0:1:2:3:4:5601:5601",
        "2001:0:a9fe:a9fe::1",
        "2a00::5efe:a9fe:a9fe",
    ];
    for policy in [EgressPolicy::new(), EgressPolicy::operator()] {
        for ip in hidden {
            assert_eq!(judge(&policy, ip), forbidden(Forbidden::Metadata), "{ip}");
        }
    }
    // Looks like a hidden one, but nothing routes it there.
    assert_eq!(judge(&EgressPolicy::new(), "2606:4700::a9fe:a9fe"), Ok(()));
}

#[test]
fn tricky_spellings_of_an_address_are_read_as_that_address() {
    let policy = EgressPolicy::new();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "[fd12::1]",
    ] {
        let verdict = policy.check_url(&format!("https://{host}/v1"));
        assert_eq!(verdict.unwrap_err(), Forbidden::Address.into(), "{host}");
    }
    for host in ["169.254.169.254", "0xa9fea9fe", "2852039166", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]"]
    {
        let verdict = policy.check_url(&format!("https://{host}/latest/meta-data"));
        assert_eq!(verdict.unwrap_err(), Forbidden::Metadata.into(), "{host}");
    }
}

#[test]
fn names_of_this_machine_and_of_metadata_are_refused() {
    let strict = EgressPolicy::new();
    let with_rule = EgressPolicy::new().allow(rule("10.0.0.0/8"));
    for name in ["localhost", "LOCALHOST.", "api.localhost", "printer.local", "db.internal.", "x.local"] {
        let url = format!("https://{name}/");
        assert_eq!(strict.check_url(&url).unwrap_err(), Forbidden::Name.into(), "{name}");
        assert!(with_rule.check_url(&url).is_ok(), "{name} is judged by its address then");
    }
    for name in ["metadata.google.internal", "METADATA.google.internal.", "metadata.goog", "metadata"] {
        for policy in [&strict, &with_rule, &EgressPolicy::operator()] {
            let verdict = policy.check_url(&format!("https://{name}/"));
            assert_eq!(verdict.unwrap_err(), Forbidden::Metadata.into(), "{name}");
        }
    }
    assert!(strict.check_url("https://internal.example.com/").is_ok());
}

#[test]
fn unacceptable_texts_are_named() {
    let policy = EgressPolicy::operator();
    let fault = |url: &str| match policy.check_base_url(url) {
        Err(EgressError::InvalidUrl(fault)) => fault,
        other => panic!("{url}: {other:?}"),
    };
    assert_eq!(fault("https://user@api.example.com"), UrlFault::UserInfo);
    assert_eq!(fault("https://user:pw@api.example.com"), UrlFault::UserInfo);
    assert_eq!(fault("https://api.openai.com@evil.example"), UrlFault::UserInfo);
    assert_eq!(fault("ftp://api.example.com"), UrlFault::Scheme);
    assert_eq!(fault("file:///etc/passwd"), UrlFault::Scheme);
    assert_eq!(fault("gopher://x:1/_GET"), UrlFault::Scheme);
    assert_eq!(fault("api.example.com"), UrlFault::Unreadable);
    assert_eq!(fault("https://"), UrlFault::Unreadable);
    assert_eq!(fault("https://api.example.com\\@evil.example"), UrlFault::Unreadable);
    assert_eq!(fault("https://api.exa\nmple.com"), UrlFault::Unreadable);
    assert_eq!(fault(" https://api.example.com"), UrlFault::Unreadable);
    assert_eq!(fault("https://api.example.com:0"), UrlFault::Port);
    assert_eq!(fault("https://api.example.com:99999"), UrlFault::Unreadable);
    assert_eq!(fault("https://api.example.com/v1?key=1"), UrlFault::QueryOrFragment);
    assert_eq!(fault("https://api.example.com/v1#x"), UrlFault::QueryOrFragment);
    assert_eq!(fault("https://api.example.com/a%2f..%2fb"), UrlFault::Path);
}

#[test]
fn plain_http_needs_a_rule_that_says_so() {
    let mut private = rule("10.0.0.0/8");
    let without = EgressPolicy::new().allow(private.clone());
    private.plain_http = true;
    let with = EgressPolicy::new().allow(private);
    assert_eq!(without.check_url("http://10.1.2.3:8000/v1").unwrap_err(), Forbidden::PlainHttp.into());
    assert!(without.check_url("https://10.1.2.3:8000/v1").is_ok());
    assert!(with.check_url("http://10.1.2.3:8000/v1").is_ok());
    assert_eq!(with.check_url("http://8.8.8.8/v1").unwrap_err(), Forbidden::PlainHttp.into());
    assert_eq!(EgressPolicy::new().check_url("http://example.com").unwrap_err(), Forbidden::PlainHttp.into());
}

#[test]
fn a_names_scheme_and_port_are_judged_before_it_is_resolved() {
    let vllm = AllowRule { net: "10.0.0.0/24".parse().unwrap(), ports: Some(8000..=8001), plain_http: true };
    let policy = EgressPolicy::new().allow(vllm);
    let check = |url: &str| policy.check_base_url(url).map(|_| ());
    assert_eq!(check("http://llm.example.com:8000/v1"), Ok(()));
    assert_eq!(check("http://llm.example.com/v1"), forbidden(Forbidden::PlainHttp));
    assert_eq!(check("http://llm.example.com:8002/v1"), forbidden(Forbidden::PlainHttp));
    assert_eq!(check("https://llm.example.com:8002/v1"), Ok(()));
    assert_eq!(check("https://llm.example.com:22/v1"), forbidden(Forbidden::Port));
}

#[test]
fn rules_and_system_ports_bind() {
    let vllm = AllowRule { net: "10.0.0.0/24".parse().unwrap(), ports: Some(8000..=8001), plain_http: false };
    let policy = EgressPolicy::new().allow(vllm);
    let at = |text: &str| policy.check_addr(text.parse().unwrap(), Scheme::Https);
    assert_eq!(at("10.0.0.7:8000"), Ok(()));
    assert_eq!(at("[::ffff:10.0.0.7]:8001"), Ok(()));
    assert_eq!(at("10.0.0.7:8002"), forbidden(Forbidden::Address));
    assert_eq!(at("10.0.1.7:8000"), forbidden(Forbidden::Address));
    assert_eq!(at("8.8.8.8:443"), Ok(()));
    assert_eq!(at("8.8.8.8:8443"), Ok(()));
    for port in [22, 25, 53, 465, 1023] {
        assert_eq!(at(&format!("8.8.8.8:{port}")), forbidden(Forbidden::Port), "{port}");
    }
}

#[test]
fn own_listeners_are_refused_under_every_rule() {
    let everywhere = || EgressPolicy::new().allow(rule("0.0.0.0/0")).allow(rule("::/0"));
    let any = everywhere().deny_listener("0.0.0.0:9090".parse().unwrap());
    for target in
        ["127.0.0.1:9090", "127.5.5.5:9090", "0.0.0.0:9090", "[::1]:9090", "[::ffff:127.0.0.1]:9090"]
    {
        let verdict = any.check_addr(target.parse().unwrap(), Scheme::Https);
        assert_eq!(verdict, forbidden(Forbidden::OwnListener), "{target}");
    }
    assert_eq!(any.check_addr("127.0.0.1:9091".parse().unwrap(), Scheme::Https), Ok(()));
    let one = everywhere().deny_listener("10.0.0.5:8080".parse().unwrap());
    assert!(one.check_addr("10.0.0.5:8080".parse().unwrap(), Scheme::Https).is_err());
    assert_eq!(one.check_addr("10.0.0.6:8080".parse().unwrap(), Scheme::Https), Ok(()));
}

#[test]
fn an_origin_has_one_spelling() {
    let canonical = Origin::parse("https://api.openai.com").unwrap();
    for other in [
        "HTTPS://API.OpenAI.com/v1",
        "https://api.openai.com:443",
        "https://api.openai.com.",
        "https://api.openai.com/?q#f",
        "https:api.openai.com",
    ] {
        assert_eq!(Origin::parse(other).unwrap(), canonical, "{other}");
    }
    assert_eq!(canonical.as_str(), "https://api.openai.com");
    assert_eq!(canonical.port(), 443);
    assert_ne!(Origin::parse("http://api.openai.com").unwrap(), canonical);
    assert_ne!(Origin::parse("https://api.openai.com:444").unwrap(), canonical);
    let six = Origin::parse("https://[2606:4700:0:0::1]:8443").unwrap();
    assert_eq!(six.as_str(), "https://[2606:4700::1]:8443");
    assert_eq!(six.host_header(), "[2606:4700::1]:8443");
}

#[test]
fn a_base_url_joins_without_letting_anyone_climb_out() {
    let base = BaseUrl::parse("https://api.example.com/openai/v1/").unwrap();
    assert_eq!(base.to_string(), "https://api.example.com/openai/v1");
    assert_eq!(base.join("/chat/completions?a=b").unwrap(), "/openai/v1/chat/completions?a=b");
    let root = BaseUrl::parse("https://api.example.com").unwrap();
    assert_eq!(root.join("/models/a.b:c").unwrap(), "/models/a.b:c");
    assert_eq!(root.join("/x?redirect=../y").unwrap(), "/x?redirect=../y");
    for path in [
        "models",
        "",
        "//evil/../x",
        "/../admin",
        "/a/..",
        "/a/%2e%2E/b",
        "/a/.%2e",
        "/a%2f..%2fb",
        "/a%5c..%5cb",
        "/..;x/b",
        "/a\\..\\b",
        "/a b",
        "/a\r\nx: y",
    ] {
        assert_eq!(base.join(path), Err(UrlFault::Path.into()), "{path:?}");
    }
}

#[test]
fn customers_hear_the_same_of_forbidden_closed_and_silent() {
    let said = EgressError::from(Forbidden::Metadata).public_reason();
    for error in [
        EgressError::from(Forbidden::OwnListener),
        EgressError::Unresolvable,
        EgressError::ConnectFailed,
        EgressError::ConnectTimeout,
        EgressError::Tls,
        EgressError::Timeout,
    ] {
        assert_eq!(error.public_reason(), said);
    }
}

fn verdict(ip: IpAddr, policy: &EgressPolicy) -> Result<(), EgressError> {
    policy.check_addr(SocketAddr::new(ip, 443), Scheme::Https)
}

/// Leans towards the blocks' edges, where mistakes live.
fn some_v4() -> impl Strategy<Value = Ipv4Addr> {
    let edge = prop::sample::select(vec![
        0x0a00_0000_u32,
        0x7f00_0001,
        0xa9fe_a9fe,
        0xac10_0000,
        0xc0a8_0000,
        0x6440_0000,
        0xe000_0000,
        0xc000_00c0,
    ]);
    let near = (edge, -2_i64..=2).prop_map(|(edge, by)| (i64::from(edge) + by) as u32);
    prop_oneof![any::<u32>(), near].prop_map(Ipv4Addr::from)
}

proptest! {
    #[test]
    fn wrapped_v4_has_the_verdict_of_the_v4(ip in some_v4(), tail in any::<[u16; 5]>()) {
        let [a, b, c, d] = ip.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let [t1, t2, t3, t4, t5] = tail;
        let wrapped = [
            ip.to_ipv6_mapped(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, t1, t2, t3, t4, t5),
        ];
        for policy in [EgressPolicy::new(), EgressPolicy::new().allow(rule("10.0.0.0/8")), EgressPolicy::operator()] {
            let plain = verdict(ip.into(), &policy);
            for ip in wrapped {
                prop_assert_eq!(verdict(ip.into(), &policy), plain, "{}", ip);
            }
            // Nothing routes v4-compatible addresses any more: never laxer, usually stricter.
            let compatible = ip.to_ipv6_compatible();
            prop_assert!(plain.is_ok() || verdict(compatible.into(), &policy).is_err());
        }
    }

    #[test]
    fn any_text_is_judged_without_a_panic(url in "\\PC{0,60}", path in "\\PC{0,40}") {
        let _ = EgressPolicy::new().check_target(&url);
        if let Ok(base) = BaseUrl::parse(&format!("https://a.example/{path}")) {
            let _ = base.join(&path);
        }
    }
}
