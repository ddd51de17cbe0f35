//! The secret in answers that are passed on piece by piece.
#![cfg(test)]

use bytes::Bytes;
use proptest::prelude::*;
use topdog_wire::redact::{Passing, without_secret};

const SECRET: &str = "sk-proj-Zq8xW3nT7vB1kL5mR9yH2";
const MASK: &str = "[redacted]*******************";

fn passed(pieces: &[&[u8]], secret: &str) -> Vec<Bytes> {
    let (mut passing, mut out) = (Passing::default(), Vec::new());
    for piece in pieces {
        passing.feed(Bytes::copy_from_slice(piece), secret.as_bytes(), &mut |bytes| out.push(bytes));
    }
    out.extend(passing.finish());
    out
}

fn text_of(pieces: &[&[u8]], secret: &str) -> String {
    String::from_utf8(passed(pieces, secret).concat()).unwrap()
}

#[test]
fn the_secret_is_overwritten_wherever_it_stands() {
    let text = format!("{SECRET}, then sk-proj-{SECRET}{SECRET} sk-proj-Zq8");
    let expected = text.replace(SECRET, MASK);
    assert_eq!(text_of(&[text.as_bytes()], SECRET), expected);
    for at in 0..=text.len() {
        let (one, two) = text.split_at(at);
        assert_eq!(text_of(&[one.as_bytes(), two.as_bytes()], SECRET), expected, "cut at {at}");
    }
    let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
    assert_eq!(text_of(&bytes, SECRET), expected);
    assert_eq!(without_secret(text.into(), SECRET.as_bytes()), expected);
}

#[test]
fn it_is_found_as_json_has_it() {
    let secret = r#"ab/cd"ef\gh/ij"#;
    for form in [secret, r#"ab/cd\"ef\\gh/ij"#, r#"ab\/cd\"ef\\gh\/ij"#] {
        let text = format!(r#"{{"content":"<{form}>"}}"#);
        let mask = format!("[redacted]{}", "*".repeat(form.len() - 10));
        for at in 0..text.len() {
            let (one, two) = text.split_at(at);
            let out = text_of(&[one.as_bytes(), two.as_bytes()], secret);
            assert_eq!(out, text.replace(form, &mask), "cut at {at}");
        }
    }
}

#[test]
fn only_what_may_begin_the_secret_waits() {
    for (piece, waits) in [
        ("data: {\"a\":1}\n\n", 0),
        ("a word of 29", 0),
        ("as sk-proj-Zq9", 0),
        ("an s", 1),
        ("as sk-proj-Zq8", 11),
        (&SECRET[..28], 28),
    ] {
        let (mut passing, mut sent) = (Passing::default(), 0);
        passing.feed(piece.into(), SECRET.as_bytes(), &mut |bytes| sent += bytes.len());
        assert_eq!(piece.len() - sent, waits, "{piece}");
        passing.feed(Bytes::from_static(b"\n"), SECRET.as_bytes(), &mut |bytes| sent += bytes.len());
        assert_eq!(sent, piece.len() + 1, "{piece}");
    }
}

#[test]
fn a_piece_that_is_clean_is_passed_on_and_not_copied() {
    let piece = Bytes::from_static(b"data: {}\n\n");
    let mut out = Vec::new();
    Passing::default().feed(piece.clone(), SECRET.as_bytes(), &mut |bytes| out.push(bytes));
    assert_eq!(out[0].as_ptr(), piece.as_ptr());
}

#[test]
fn an_end_that_tells_much_of_the_secret_is_overwritten() {
    assert_eq!(text_of(&[b"the word s"], SECRET), "the word s");
    assert_eq!(text_of(&[b"key sk-proj-Zq8xW3n"], SECRET), "key [redacted]*****");
}

#[test]
fn what_is_too_short_for_a_secret_is_left_alone() {
    assert_eq!(text_of(&[b"a dummy", b" key"], "dummy"), "a dummy key");
    assert_eq!(text_of(&[b"any", b"thing"], ""), "anything");
    assert_eq!(text_of(&[b"an eight-", b"letter"], "eight-le"), "an ********tter");
    assert_eq!(without_secret(Bytes::from_static(b"dummy"), b"dummy"), "dummy");
}

proptest! {
    /// However the bytes are cut, the secret is in nothing that goes on, and all else is.
    #[test]
    fn cuts_change_nothing(
        parts in prop::collection::vec(prop::sample::select(vec!["abababac", "abab", "ab", "c", "\n", "aba"]), 0..20),
        cuts in prop::collection::vec(1usize..12, 0..40),
    ) {
        let secret = "abababac";
        let text = format!("{}\n", parts.concat());
        let mut pieces = Vec::new();
        let mut rest = text.as_bytes();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(text_of(&pieces, secret), text.replace(secret, "********"));
    }
}
