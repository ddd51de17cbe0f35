//! How an answer is read, without any connection: for the fuzz target, and no part of the API.

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};

use super::framing::Framing;
use super::head;
use crate::error::Lost;

/// What was read of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// As much of its body as has come.
    pub body: Vec<u8>,
    /// Is its end known, and reached?
    pub is_over: bool,
    /// May the connection be used again after the body?
    pub is_persistent: bool,
    /// Bytes that have come and are not passed over yet: of the framing, or from behind the answer's end.
    pub left: usize,
}

/// Reads pieces as they come from a connection; none where they hold no whole head.
///
/// # Errors
/// As a connection on which they come.
pub fn read_answer(pieces: &[&[u8]]) -> Result<Option<ReadAnswer>, Lost> {
    let (mut buffer, mut reading) = (BytesMut::new(), None);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        if reading.is_none() {
            reading = head::take(&mut buffer)?.map(|head| {
                let (parts, framing) = head.answer.into_parts();
                let answer = ReadAnswer {
                    status: parts.status,
                    headers: parts.headers,
                    body: Vec::new(),
                    is_over: false,
                    is_persistent: head.is_persistent,
                    left: 0,
                };
                (answer, framing)
            });
        }
        if let Some((answer, framing)) = &mut reading {
            while let Some(data) = framing.take(&mut buffer)? {
                answer.body.extend_from_slice(&data);
            }
        }
    }
    Ok(reading.map(|(answer, framing)| ReadAnswer {
        is_over: framing == Framing::Over,
        left: buffer.len(),
        ..answer
    }))
}
