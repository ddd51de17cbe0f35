//! The fuzz target of answers, tried for a moment on what answers are made of. `scripts/fuzz` tries it for longer.

#![cfg(test)]

#[path = "../../../fuzz/src/answers.rs"]
mod answers;
#[path = "../../../fuzz/src/cuts.rs"]
mod cuts;

use proptest::prelude::*;

const PARTS: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.0 502 Bad\r\n",
    "HTTP/1.1 101 S\r\n\r\n",
    "transfer-encoding: chunked\r\n",
    "Transfer-Encoding:  Chunked \r\n",
    "transfer-encoding: gzip\r\n",
    "content-length: 5\r\n",
    "content-length: 7\r\n",
    "connection: close\r\n",
    "x: y\r\n",
    "x:\r\n",
    "\r\n",
    "\n",
    "\r",
    "5\r\nhello\r\n",
    "5;a=b\r\nhello\r\n",
    "1\r\nx\r\n",
    "0\r\n",
    "000\r\n\r\n",
    "fffffffffffffff\r\n",
    "10000000000000000\r\n",
    "trailer: z\r\n",
    "hello",
];

/// A head and a body that go together, to begin with.
fn good() -> impl Strategy<Value = Vec<u8>> {
    let chunks = prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6);
    (chunks, any::<bool>()).prop_map(|(chunks, is_chunked)| {
        let body = chunks.concat();
        if !is_chunked {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            return [head.as_bytes(), &body, b"next"].concat();
        }
        let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for chunk in chunks {
            answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            answer.extend_from_slice(&chunk);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"0\r\n\r\nnext");
        answer
    })
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => prop::sample::select(PARTS).prop_map(|part| part.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn good_answers_are_read_however_they_are_cut(seed in any::<u8>(), good in good()) {
        answers::answer(&[&[seed], good.as_slice()].concat());
    }

    #[test]
    fn answers_that_are_bent_are_read_or_refused_however_they_are_cut(
        seed in any::<u8>(),
        good in good(),
        at in any::<prop::sample::Index>(),
        part in part(),
        passed_over in 0usize..4,
    ) {
        let (before, after) = good.split_at(at.index(good.len()));
        let after = after.get(passed_over..).unwrap_or_default();
        answers::answer(&[&[seed], before, &part, after].concat());
    }

    #[test]
    fn what_answers_are_made_of_breaks_nothing(seed in any::<u8>(), parts in prop::collection::vec(part(), 0..12)) {
        answers::answer(&[&[seed], parts.concat().as_slice()].concat());
    }
}
