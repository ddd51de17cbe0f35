//! How the egress reads answers of HTTP/1.1. Not among the other checks: only it needs the egress.

use super::cuts::Cuts;
use std::fmt::Write as _;
use topdog_egress::fuzzing::{ReadAnswer, read_answer};

/// Of an answer, whatever it is: cut anywhere, the same is read or the same refused; nothing is read twice; and
/// what was read of a body is what a plain sender would have sent.
pub(crate) fn answer(data: &[u8]) {
    let (mut cuts, bytes) = Cuts::of(data);
    let whole = read_answer(&[bytes]);
    let pieces = cuts.pieces(bytes);
    assert_eq!(whole, read_answer(&pieces), "cut into {pieces:?}");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(whole, read_answer(&single), "byte by byte");
    let Ok(Some(answer)) = whole else { return };
    assert!(answer.body.len() + answer.left <= bytes.len(), "more was read than came: {answer:?}");
    assert!(!answer.headers.contains_key("transfer-encoding"), "{answer:?}");
    if answer.is_over {
        assert_eq!(read_answer(&[&written_plainly(&answer)]), Ok(Some(again(&answer))));
    } else {
        assert!(!is_bodiless(&answer), "{answer:?}");
    }
}

/// The same answer from a sender that tells the length.
fn written_plainly(answer: &ReadAnswer) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status.as_u16());
    if !is_bodiless(answer) {
        let _ = write!(head, "content-length: {}\r\n", answer.body.len());
    }
    head.push_str("\r\n");
    [head.as_bytes(), &answer.body].concat()
}

/// What is to be read of that.
fn again(answer: &ReadAnswer) -> ReadAnswer {
    let mut headers = answer.headers.clone();
    headers.clear();
    if !is_bodiless(answer) {
        headers.insert("content-length", answer.body.len().into());
    }
    ReadAnswer {
        status: answer.status,
        headers,
        body: answer.body.clone(),
        is_over: true,
        is_persistent: true,
        left: 0,
    }
}

fn is_bodiless(answer: &ReadAnswer) -> bool {
    matches!(answer.status.as_u16(), 204 | 304)
}
