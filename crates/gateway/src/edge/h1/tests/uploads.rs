use super::super::property::{Seen, h1_server};
use super::seen;
use proptest::prelude::*;

/// The body of a chunked request, whether it is whole, and what follows.
fn chunked(wire: impl AsRef<[u8]>) -> (Vec<u8>, Option<bool>, Vec<u8>) {
    let mut all = b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    all.extend_from_slice(wire.as_ref());
    match seen(all) {
        Seen::Request { body, is_whole, rest, .. } => (body, is_whole, rest),
        other => panic!("{other:?}"),
    }
}

#[test]
fn chunks() {
    let whole = b"5\r\nhello\r\n00006;a=b;c=\"d\"\r\n world\r\n000\r\nx: y\r\nz: a\r\n\r\nmore";
    assert_eq!(chunked(whole), (b"hello world".to_vec(), Some(true), b"more".to_vec()));
    assert_eq!(chunked("0\r\n\r\n"), (Vec::new(), Some(true), Vec::new()));
    assert_eq!(chunked("5\r\nhel"), (b"hel".to_vec(), None, Vec::new()));
    for bad in [
        "5\r\nhelloX\r\n",
        "5\r\nhello\n",
        "5\r\nhello\r\r\n",
        "5\nhello\r\n",
        "5\r\r\nhello\r\n",
        "5 \r\nhello\r\n",
        " 5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "-1\r\n",
        "g\r\n",
        "\r\n",
        ";a\r\n",
        "5;a\nhello\r\n",
        "5;a\0\r\nhello\r\n",
        "5;a\rb\r\nhello\r\n",
        "1000000000000000\r\n",
        "ffffffffffffffffff\r\n",
        "0000000000000005\r\nhello\r\n",
        "0\r\nx: y\n\r\n",
        "0\r\nx\0: y\r\n\r\n",
        "0\r\n\n",
        "0\r\nx\r\n\r\n",
        "0\r\nx : y\r\n\r\n",
        "0\r\nx: y\r\n z\r\n\r\n",
        "0\r\n: y\r\n\r\n",
        "0\r\n\rx",
    ] {
        assert_eq!(chunked(bad).1, Some(false), "{bad:?}");
    }
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let extension = |length: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(length));
    assert_eq!(chunked(extension(16_000)).1, Some(true));
    assert_eq!(chunked(extension(17_000)).1, Some(false));
    let many = format!("{}0\r\n\r\n", "1;xxxxxxxx\r\na\r\n".repeat(3000));
    assert_eq!(chunked(many).1, Some(false));
    let trailer = |count: usize, length: usize| {
        format!("0\r\n{}\r\n", format!("a: {}\r\n", "x".repeat(length)).repeat(count))
    };
    assert_eq!(chunked(trailer(100, 10)).1, Some(true));
    assert_eq!(chunked(trailer(101, 10)).1, Some(false));
    assert_eq!(chunked(trailer(100, 200)).1, Some(false));
}

/// Requests as clients send them, and such as they should not.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /v1/x HTTP/1.1\r\n",
        "POST / HTTP/1.0\r\n",
        "host: h\r\n",
        "Host: h\r\n",
        "content-length: 5\r\n",
        "content-length: 6\r\n",
        "transfer-encoding: chunked\r\n",
        "x: y\r\n",
        "x: y\n",
        "x : y\r\n",
        " y\r\n",
        "\r\n",
        "\n",
        "\r",
        "hello",
        "5\r\nhello\r\n",
        "3;a=b\r\nabc\r\n",
        "0\r\n\r\n",
        "0\r\nx: y\r\n\r\n",
        "expect: 100-continue\r\n",
        "connection: close\r\n",
        "\0",
    ]);
    let sound = prop::sample::select(vec![
        "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n",
        "",
    ]);
    (sound, prop::collection::vec(piece, 0..12))
        .prop_map(|(sound, pieces)| format!("{sound}{}", pieces.concat()).into_bytes())
}

proptest! {
    #[test]
    fn however_a_request_is_cut_it_is_the_same(cut in any::<u8>(), wire in wire()) {
        let mut data = vec![cut];
        data.extend(wire);
        h1_server(&data);
    }

    #[test]
    fn no_bytes_break_the_readers(data in prop::collection::vec(any::<u8>(), 0..300)) {
        h1_server(&data);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// At every place, for requests whose body is sound.
    #[test]
    fn chunks_come_out_the_same_wherever_they_are_cut(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..4),
    ) {
        let mut data = b"\0POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for body in &bodies {
            data.extend(format!("{:x}\r\n", body.len()).bytes());
            data.extend(body);
            data.extend(b"\r\n");
        }
        data.extend(b"0\r\n\r\nnext");
        for cut in 0..=255 {
            data[0] = cut;
            h1_server(&data);
        }
        prop_assert_eq!(
            seen(&data[1..]),
            match seen(&data[1..]) {
                Seen::Request { head, is_persistent, .. } => Seen::Request {
                    head, is_persistent, body: bodies.concat(), is_whole: Some(true), rest: b"next".to_vec(),
                },
                other => other,
            }
        );
    }
}
