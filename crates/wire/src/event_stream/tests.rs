//! Vectors written by another implementation (Python's `struct` and `zlib`, read back by botocore), damage
//! of every kind, and that it doesn't matter how a stream is cut.

use super::{Damage, Decoder, HeaderValue, Message, encode};
use proptest::prelude::*;

const EMPTY: &str = "000000100000000005c248eb7d98c8ff";
const ALL_KINDS: &str = "0000006a0000004dbecd8da8017400016601016202ff0173038000016904fffffffe016c050000000000000003017906000200ff0178070002c3a90164080000018bcfe56800017509000102030405060708090a0b0c0d0e0f7b27666f6f273a27626172277d557f5a9f";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn all_kinds() -> [(&'static str, HeaderValue<'static>); 10] {
    [
        ("t", HeaderValue::Bool(true)),
        ("f", HeaderValue::Bool(false)),
        ("b", HeaderValue::Byte(-1)),
        ("s", HeaderValue::Short(i16::MIN)),
        ("i", HeaderValue::Int(-2)),
        ("l", HeaderValue::Long(3)),
        ("y", HeaderValue::Bytes(&[0, 255])),
        ("x", HeaderValue::Text("é")),
        ("d", HeaderValue::Timestamp(1_700_000_000_000)),
        ("u", HeaderValue::Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])),
    ]
}

/// What a stream in pieces of that size gives: its messages as text, and how it ends.
fn decoded(stream: &[u8], size: usize) -> (Vec<String>, Result<(), Damage>) {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    let mut each = |message: Message<'_>| messages.push(format!("{message:?}"));
    for piece in stream.chunks(size.max(1)) {
        if decoder.push(piece, &mut each).is_err() {
            break;
        }
    }
    (messages, decoder.finish())
}

#[test]
fn another_implementations_messages_are_read_and_written_alike() {
    let mut written = Vec::new();
    encode(&[], b"", &mut written).unwrap();
    assert_eq!(written, bytes(EMPTY));
    written.clear();
    encode(&all_kinds(), b"{'foo':'bar'}", &mut written).unwrap();
    assert_eq!(written, bytes(ALL_KINDS));
    let mut decoder = Decoder::default();
    let mut has_read = false;
    let read = decoder.push(&written, &mut |message| {
        let headers: Vec<_> = message.headers.iter().map(|header| (header.name, header.value)).collect();
        assert_eq!(headers, all_kinds());
        assert_eq!(message.payload, b"{'foo':'bar'}");
        assert_eq!((message.text("x"), message.text("t"), message.text("none")), (Some("é"), None, None));
        has_read = true;
    });
    assert!(read.is_ok() && has_read && decoder.finish().is_ok());
}

#[test]
fn every_changed_bit_is_found() {
    let sound = bytes(ALL_KINDS);
    for bit in 0..sound.len() * 8 {
        let mut damaged = sound.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (messages, end) = decoded(&damaged, usize::MAX);
        assert!(messages.is_empty() && end.is_err(), "bit {bit}");
    }
}

#[test]
fn a_message_cut_short_is_torn_wherever_it_is_cut() {
    let sound = bytes(ALL_KINDS);
    for end in 1..sound.len() {
        assert_eq!(decoded(&sound[..end], 7), (Vec::new(), Err(Damage::Torn)), "{end}");
    }
}

/// A message of these bytes, whatever they are, with checksums that are right.
fn summed(total: usize, of_headers: usize, inner: &[u8]) -> Vec<u8> {
    let mut all = u32::try_from(total).unwrap().to_be_bytes().to_vec();
    all.extend(u32::try_from(of_headers).unwrap().to_be_bytes());
    all.extend(crc32fast::hash(&all).to_be_bytes());
    all.extend(inner);
    all.extend(crc32fast::hash(&all).to_be_bytes());
    all
}

#[test]
fn lengths_and_headers_that_cant_be_are_refused_though_their_checksums_are_right() {
    for (total, of_headers) in [(15, 0), (0, 0), (20, 5), (16 + (25 << 20), 0), (1 << 20, 200 << 10)] {
        assert_eq!(decoded(&summed(total, of_headers, b""), 3).1, Err(Damage::Length), "{total}");
    }
    let headers: [&[u8]; 7] = [
        b"\x00\x00",
        b"\x01x\x0a",
        b"\x01x\x07\x00\x05abc",
        b"\x01x\x07\x00\x01\xff",
        b"\x01\xff\x00",
        b"\x01x\x00\x01x\x01",
        b"\x05x",
    ];
    for header in headers {
        let all = summed(16 + header.len(), header.len(), header);
        assert_eq!(decoded(&all, usize::MAX), (Vec::new(), Err(Damage::Header)), "{header:?}");
    }
}

#[test]
fn what_is_too_long_is_not_begun() {
    let (name, text) = ("n".repeat(256), "v".repeat(65_536));
    let mut out = b"as it was".to_vec();
    assert!(encode(&[(&name, HeaderValue::Bool(true))], b"", &mut out).is_err());
    assert!(encode(&[("n", HeaderValue::Text(&text))], b"", &mut out).is_err());
    assert!(encode(&[("", HeaderValue::Bool(true))], b"", &mut out).is_err());
    assert!(encode(&[], &vec![0; (24 << 20) + 1], &mut out).is_err());
    assert_eq!(out, b"as it was");
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..6),
        sizes in proptest::collection::vec(1usize..50, 1..40),
        damaged in proptest::option::of((any::<usize>(), 1u8..)),
    ) {
        let mut stream = Vec::new();
        for payload in &payloads {
            encode(&[(":message-type", HeaderValue::Text("event"))], payload, &mut stream).unwrap();
        }
        if let Some((at, bits)) = damaged {
            let at = at % stream.len();
            stream[at] ^= bits;
        }
        let (whole, end) = decoded(&stream, usize::MAX);
        prop_assert_eq!(end.is_ok(), damaged.is_none());
        prop_assert!(damaged.is_some() || whole.len() == payloads.len());
        let (mut decoder, mut messages, mut rest) = (Decoder::default(), Vec::new(), stream.as_slice());
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            let _ = decoder.push(piece, &mut |message: Message<'_>| messages.push(format!("{message:?}")));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(decoder.finish(), end);
        prop_assert_eq!(messages, whole);
    }
}
