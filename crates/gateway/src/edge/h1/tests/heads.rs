use super::super::property::{MOST_HEAD_BYTES, Seen, see};
use super::{refused, seen};

/// Head, body, whether it is whole, whether the connection stays, and what follows.
#[track_caller]
fn request(wire: impl AsRef<[u8]>) -> (String, Vec<u8>, Option<bool>, bool, Vec<u8>) {
    match seen(&wire) {
        Seen::Request { head, body, is_whole, is_persistent, rest } => {
            (head, body, is_whole, is_persistent, rest)
        }
        other => panic!("{:?} is {other:?}", String::from_utf8_lossy(wire.as_ref())),
    }
}

#[test]
fn a_request_is_read_as_it_was_meant() {
    let (head, body, is_whole, is_persistent, rest) = request(
        "POST /v1/x?a=b HTTP/1.1\r\nHost: h:80\r\nX-Y: \t a b \t\r\nx-y:c\r\ncontent-length: 3\r\n\r\nabcGET",
    );
    assert!(head.starts_with("POST /v1/x?a=b HTTP/1.1"), "{head}");
    assert!(head.contains(r#""x-y": "a b""#) && head.contains(r#""x-y": "c""#), "{head}");
    assert_eq!(
        (body.as_slice(), is_whole, is_persistent, rest.as_slice()),
        (&b"abc"[..], Some(true), true, &b"GET"[..])
    );
    let (head, body, is_whole, _, rest) = request(
        "POST / HTTP/1.1\r\nhost:\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\nGET",
    );
    assert!(head.contains(r#""host": """#), "{head}");
    assert_eq!((body.as_slice(), is_whole, rest.as_slice()), (&b"abc"[..], Some(true), &b"GET"[..]));
    // Empty lines in front are passed over.
    assert_eq!(request("\r\n\r\nGET / HTTP/1.1\r\nhost: h\r\n\r\n").2, Some(true));
    assert_eq!(
        see(&[b"\r\n", b"\r\n", b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"]),
        seen("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
    );
    assert_eq!(seen("GET / HTTP/1.1\r\nhost: h\r\n"), Seen::Partial);
    assert_eq!(seen(""), Seen::Partial);
}

#[test]
fn a_connection_stays_as_the_client_wishes() {
    let stays = |line: &str, fields: &str| request(format!("GET / {line}\r\nhost: h\r\n{fields}\r\n")).3;
    assert!(stays("HTTP/1.1", ""));
    assert!(stays("HTTP/1.1", "connection: keep-alive\r\n"));
    assert!(!stays("HTTP/1.1", "connection: x , Close\r\n"));
    assert!(!stays("HTTP/1.1", "connection: keep-alive\r\nconnection: close\r\n"));
    assert!(!stays("HTTP/1.0", ""));
    assert!(stays("HTTP/1.0", "connection: Keep-Alive\r\n"));
    assert!(!stays("HTTP/1.0", "connection: keep-alive, close\r\n"));
    // HTTP/1.0 knows no host.
    assert_eq!(request("GET / HTTP/1.0\r\n\r\n").2, Some(true));
}

#[test]
fn first_lines_that_are_none() {
    for line in [
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / HTTP/1.1 ",
        "GET / http/1.1",
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET / a HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /\u{7f} HTTP/1.1",
        "GET /ü HTTP/1.1",
        "GET /#a HTTP/1.1",
        "GET v1/models HTTP/1.1",
        "GET * HTTP/1.1",
        "GET *a HTTP/1.1",
        "GET ftp://h/ HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET h:80 HTTP/1.1",
        "CONNECT h:80 HTTP/1.1",
        "PRI * HTTP/2.0",
        "\u{16}\u{3}\u{1}",
    ] {
        assert_eq!(refused(format!("{line}\r\nhost: h\r\n\r\n")), "malformed_request", "{line:?}");
    }
    assert!(request("OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n").0.starts_with("OPTIONS * "));
    assert!(request("GET http://h/v1/models?x HTTP/1.1\r\nhost: h\r\n\r\n").0.contains("/v1/models?x"));
}

#[test]
fn fields_that_two_readers_could_read_in_two_ways() {
    for fields in [
        "x\r\n",
        "x : y\r\n",
        "x\t: y\r\n",
        ": y\r\n",
        "x y: z\r\n",
        "x(: z\r\n",
        "ü: z\r\n",
        "x: y\r\n z\r\n",
        "x: y\r\n\tz\r\n",
        " x: y\r\n",
        "x: a\0b\r\n",
        "x: a\u{1}b\r\n",
        "x: a\u{7f}b\r\n",
        "x: a\rb\r\n",
        "x: a\r\r\n",
        "x: y\n",
        "x: y\nz: a\r\n",
        "x: y\n\r\n",
        "host: i\r\n",
        "Host: h\r\n",
        "content-length: 1\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 1\r\n",
        "content-length: 1\r\ncontent-length: 2\r\n",
        "content-length: 1\r\ncontent-length: 1\r\n",
        "content-length: 1, 1\r\n",
        "content-length: +1\r\n",
        "content-length: -1\r\n",
        "content-length: 0x1\r\n",
        "content-length: 1 1\r\n",
        "content-length:\r\n",
        "content-length: 18446744073709551616\r\n",
        "transfer-encoding:\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: chunked;a=b\r\n",
        "transfer-encoding: \u{b}chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
    ] {
        assert_eq!(
            refused(format!("POST / HTTP/1.1\r\nhost: h\r\n{fields}\r\n")),
            "malformed_request",
            "{fields:?}"
        );
    }
    assert_eq!(refused("GET / HTTP/1.1\nhost: h\n\n"), "malformed_request");
    assert_eq!(refused("\nGET / HTTP/1.1\r\nhost: h\r\n\r\n"), "malformed_request");
    assert_eq!(refused("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n"), "malformed_request");
}

#[test]
fn hosts() {
    let with = |host: &str| format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
    for host in ["h", "h:80", "127.0.0.1", "[::1]:80", "a-b.c_d", "%41", ""] {
        assert_eq!(request(with(host)).2, Some(true), "{host}");
    }
    for host in ["a b", "a/b", "user@h", "a?b", "a#b", "a\\b", "<h>", "h\u{e9}"] {
        assert_eq!(refused(with(host)), "malformed_request", "{host}");
    }
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), "malformed_request");
    assert_eq!(refused("GET / HTTP/1.0\r\nhost: h\r\nhost: h\r\n\r\n"), "malformed_request");
}

#[test]
fn an_address_in_place_of_a_path_is_for_the_same_host() {
    let with = |address: &str, more: &str| format!("GET {address} HTTP/1.{more}\r\n\r\n");
    for (address, more) in
        [("http://h/", "1\r\nhost: h"), ("HTTP://H:80/", "1\r\nhost: h:80"), ("http://h/", "0")]
    {
        assert_eq!(request(with(address, more)).2, Some(true), "{address} {more}");
    }
    for (address, more) in [
        ("http://i/", "1\r\nhost: h"),
        ("http://h:80/", "1\r\nhost: h"),
        ("http://h/", "1\r\nhost:"),
        ("http://h/", "1"),
        ("http://u@h/", "1\r\nhost: h"),
        ("http://u@h/", "1\r\nhost: u@h"),
        ("http://u@h/", "0"),
        ("http://i/", "0\r\nhost: h"),
    ] {
        assert_eq!(refused(with(address, more)), "malformed_request", "{address} {more}");
    }
}

#[test]
fn expectations() {
    let with = |version: &str, value: &str| {
        format!("POST / HTTP/{version}\r\nhost: h\r\nexpect: {value}\r\ncontent-length: 1\r\n\r\n")
    };
    assert_eq!(request(with("1.1", "100-Continue")).2, None);
    assert_eq!(refused(with("1.1", "100-continue, x")), "expectation_failed");
    assert_eq!(refused(with("1.1", "a-miracle")), "expectation_failed");
    // HTTP/1.0 knows none.
    assert_eq!(request(with("1.0", "a-miracle")).2, None);
}

#[test]
fn heads_are_bounded_in_bytes_and_in_fields() {
    let of = |length: usize| {
        let head = "GET / HTTP/1.1\r\nhost: h\r\nx: ";
        format!("{head}{}\r\n\r\n", "y".repeat(length - head.len() - 4))
    };
    assert_eq!(request(of(MOST_HEAD_BYTES)).2, Some(true));
    assert_eq!(refused(of(MOST_HEAD_BYTES + 1)), "head_too_large");
    assert_eq!(refused("x".repeat(MOST_HEAD_BYTES)), "head_too_large");
    let dribbled = of(MOST_HEAD_BYTES + 1);
    let dribbled: Vec<&[u8]> = dribbled.as_bytes().chunks(100).collect();
    assert_eq!(see(&dribbled), Seen::Refused("head_too_large"));
    let fields = |count| format!("GET / HTTP/1.1\r\nhost: h\r\n{}\r\n", "x: y\r\n".repeat(count));
    assert_eq!(request(fields(99)).2, Some(true));
    assert_eq!(refused(fields(100)), "head_too_large");
}
