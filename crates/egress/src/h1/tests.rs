use bytes::BytesMut;
use http::Request;
use proptest::prelude::*;

use super::framing::Framing;
use super::head;
use crate::error::Lost;

fn take(text: &str) -> Result<Option<(u16, Framing, bool, usize)>, Lost> {
    let mut buffer = BytesMut::from(text);
    let head = head::take(&mut buffer)?;
    Ok(head.map(|head| {
        (head.answer.status().as_u16(), head.answer.into_body(), head.is_persistent, buffer.len())
    }))
}

#[test]
fn a_head_says_where_its_body_ends() {
    let ok = |fields: &str| take(&format!("HTTP/1.1 200 OK\r\n{fields}\r\nrest")).unwrap().unwrap();
    assert_eq!(ok("content-length: 12\r\n"), (200, Framing::Length(12), true, 4));
    assert_eq!(ok("content-length: 12\r\ncontent-length: 12\r\n").1, Framing::Length(12));
    assert_eq!(ok("content-length: 0\r\n").1, Framing::Over);
    assert_eq!(ok("Transfer-Encoding: Chunked\r\n").1, Framing::chunked());
    assert_eq!(ok("x: \r\n"), (200, Framing::UntilClose, false, 4));
    assert!(!ok("content-length: 1\r\nconnection: x, Close\r\n").2);
    assert_eq!(
        take("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n").unwrap().unwrap().1,
        Framing::Over
    );
    assert_eq!(
        take("HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 429 X\r\ncontent-length: 0\r\n\r\n").unwrap().unwrap().0,
        429
    );
    assert_eq!(take("HTTP/1.1 200 OK\r\ncontent-le").unwrap(), None);
    assert_eq!(take("").unwrap(), None);
}

#[test]
fn what_two_readers_could_frame_in_two_ways_is_refused() {
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 5\r\n",
        "content-length: +5\r\n",
        "content-length: -1\r\n",
        "content-length: 99999999999999999999\r\n",
        "content-length:\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "no colon\r\n",
        "a b: c\r\n",
        "x-bad: a\nx-injected: y\r\n",
        "x: y\n",
    ] {
        assert_eq!(take(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")), Err(Lost::Malformed), "{fields:?}");
    }
    assert_eq!(take("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"), Err(Lost::Malformed));
    assert_eq!(take("HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n"), Err(Lost::Malformed));
    assert_eq!(take("SSH-2.0-x\r\n\r\n"), Err(Lost::Malformed));
    for bare in
        ["HTTP/1.1 200 OK\nx: y\r\n\r\n", "HTTP/1.1 200 OK\r\nx: y\r\n\n", "\nHTTP/1.1 200 OK\r\n\r\n"]
    {
        assert_eq!(take(bare), Err(Lost::Malformed), "{bare:?}");
    }
    let long = "y".repeat(70_000);
    assert_eq!(take(&format!("HTTP/1.1 200 OK\r\nx: {long}")), Err(Lost::Malformed));
    assert_eq!(take(&format!("HTTP/1.1 200 OK\r\nx: {long}\r\n\r\n")), Err(Lost::Malformed));
    let many = "x: y\r\n".repeat(101);
    assert_eq!(take(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")), Err(Lost::Malformed));
}

fn decode(mut framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, usize), Lost> {
    let (mut buffer, mut out) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(data) = framing.take(&mut buffer)? {
            out.extend_from_slice(&data);
        }
    }
    Ok((out, framing == Framing::Over, buffer.len()))
}

#[test]
fn chunks() {
    let whole = b"5\r\nhello\r\n6;a=b\r\n world\r\n000\r\nx: y\r\n\r\nmore";
    assert_eq!(decode(Framing::chunked(), &[whole]).unwrap(), (b"hello world".to_vec(), true, 4));
    for bad in [
        "5\r\nhelloX\r\n",
        "5\nhello\r\n",
        "g\r\n",
        "\r\n",
        "-1\r\n",
        "5 x\r\n",
        "1000000000000000\r\n",
        "5\r\nhello\n",
    ] {
        assert_eq!(decode(Framing::chunked(), &[bad.as_bytes()]), Err(Lost::Malformed), "{bad:?}");
    }
    let endless = format!("5;{}", "x".repeat(5000));
    assert_eq!(decode(Framing::chunked(), &[endless.as_bytes()]), Err(Lost::Malformed));
    let trailer = format!("0\r\n{}", format!("a: {}\r\n", "x".repeat(1000)).repeat(20));
    assert_eq!(decode(Framing::chunked(), &[trailer.as_bytes()]), Err(Lost::Malformed));
    assert_eq!(decode(Framing::length(3), &[b"ab", b"cd"]).unwrap(), (b"abc".to_vec(), true, 1));
    assert!(!decode(Framing::length(5), &[b"ab"]).unwrap().1);
    assert_eq!(decode(Framing::UntilClose, &[b"ab", b"cd"]).unwrap(), (b"abcd".to_vec(), false, 0));
}

proptest! {
    /// However the bytes are cut, the same body comes out, and what follows it stays.
    #[test]
    fn chunks_come_out_the_same_however_they_are_cut(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..8),
        cuts in prop::collection::vec(1usize..40, 1..60),
    ) {
        let mut wire = Vec::new();
        for body in &bodies {
            super::framing::write_piece(body, true, &mut wire);
        }
        wire.extend_from_slice(super::framing::LAST_CHUNK);
        wire.extend_from_slice(b"next");
        let mut pieces = Vec::new();
        let mut rest = wire.as_slice();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        let (out, is_over, left) = decode(Framing::chunked(), &pieces).unwrap();
        prop_assert_eq!(out, bodies.concat());
        prop_assert!(is_over && left == 4);
    }

    #[test]
    fn no_bytes_break_the_readers(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = head::take(&mut BytesMut::from(bytes.as_slice()));
        let _ = decode(Framing::chunked(), &[&bytes]);
    }
}

#[test]
fn a_request_is_framed_by_us_alone() {
    let request = Request::post("/v1/x?a=b")
        .header("host", "h")
        .header("content-length", "999")
        .header("transfer-encoding", "gzip")
        .header("connection", "close")
        .body(())
        .unwrap();
    let mut out = Vec::new();
    head::write(&request, head::Length::Known(3), &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "POST /v1/x?a=b HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\n"
    );
}
