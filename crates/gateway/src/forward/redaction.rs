//! What a provider's answers may hold of the key that it was sent: errors nothing, whatever their status, and others not
//! the key itself.

use super::hold::MOST_HELD_BYTES;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use topdog_domain::provider::{Family, ProviderName};
use topdog_wire::PublicError;
use topdog_wire::error_shape::{ErrorShape, error_shape};
use topdog_wire::redact::{redact_error_body, redact_to_length, without_secret};

/// Can an error be read for keys?
pub(super) fn is_readable(headers: &HeaderMap, body: &[u8]) -> bool {
    !is_encoded(headers) && is_text(body)
}

/// A readable error without keys.
pub(super) fn error_body(body: &[u8], secret: &[u8]) -> Bytes {
    redact_error_body(body, secret).into_owned().into()
}

/// What stands for an error that can't be read, in the caller's shape.
pub(super) fn unreadable(
    provider: &ProviderName,
    headers: &mut HeaderMap,
    family: Family,
    status: u16,
    request: Option<&str>,
) -> Bytes {
    headers.remove(CONTENT_ENCODING);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let error = PublicError {
        message: format!("{provider} answered with an error that can't be read; its status is passed on")
            .into(),
        param: None,
        code: "upstream_error".into(),
        details: None,
    };
    topdog_wire::error_body(family, status, &error, request)
}

/// Has a body been encoded, though nobody asked for it?
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Is every byte that is ASCII a character of its own?
fn is_text(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok() && memchr::memchr(0, body).is_none()
}

/// A whole answer with a success's status, as long as it was: without the key, and where it is an error all the same,
/// without anything like one.
pub(super) fn whole_answer(whole: Bytes, secret: &[u8]) -> Bytes {
    match shape(&whole) {
        ErrorShape::Answer => without_secret(whole, secret),
        ErrorShape::Error | ErrorShape::Unclear => redact_to_length(&whole, secret).into_owned().into(),
    }
}

/// The beginning of a plain answer: held until it is known to be one, or as an error until it is whole.
#[derive(Default)]
pub(super) enum Beginning {
    /// Nothing has come yet that tells.
    #[default]
    Nothing,
    /// Too little has come.
    Unclear(BytesMut),
    /// It is an answer: it passes.
    Answer,
    /// It is an error.
    Error(BytesMut),
    /// It is an error, and too long for one.
    TooLong,
}

/// An error with a success's status is too long to be passed on.
#[derive(Debug)]
pub(super) struct TooLong;

impl Beginning {
    /// Takes a piece, and gives what may go on.
    pub(super) fn take(&mut self, piece: Bytes) -> Option<Bytes> {
        match std::mem::replace(self, Self::TooLong) {
            Self::Answer => {
                *self = Self::Answer;
                Some(piece)
            }
            Self::Nothing if piece.trim_ascii().is_empty() => {
                // White space is sent to keep a connection alive, and tells nothing.
                *self = Self::Nothing;
                Some(piece)
            }
            Self::Nothing => {
                *self = Self::judge(&piece);
                if matches!(self, Self::Answer) { Some(piece) } else { None }
            }
            Self::Unclear(mut held) => {
                held.extend_from_slice(&piece);
                *self = Self::judge(&held);
                if matches!(self, Self::Answer) { Some(held.freeze()) } else { None }
            }
            Self::Error(mut held) => {
                held.extend_from_slice(&piece);
                if held.len() <= MOST_HELD_BYTES {
                    *self = Self::Error(held);
                }
                None
            }
            Self::TooLong => None,
        }
    }

    /// The answer has ended: what is held of it, without keys and as long as it was.
    pub(super) fn finish(&mut self, secret: &[u8]) -> Result<Option<Bytes>, TooLong> {
        match std::mem::replace(self, Self::Answer) {
            Self::Nothing | Self::Answer => Ok(None),
            Self::Unclear(held) | Self::Error(held) => {
                Ok(Some(redact_to_length(&held, secret).into_owned().into()))
            }
            Self::TooLong => Err(TooLong),
        }
    }

    fn judge(held: &[u8]) -> Self {
        match shape(held) {
            ErrorShape::Answer => Self::Answer,
            _ if held.len() > MOST_HELD_BYTES => Self::TooLong,
            ErrorShape::Unclear => Self::Unclear(held.into()),
            ErrorShape::Error => Self::Error(held.into()),
        }
    }
}

/// A first piece without the word is an answer, unless it is too short to have it.
fn shape(held: &[u8]) -> ErrorShape {
    const LONG_ENOUGH: usize = 64;
    let has_word = memchr::memmem::find(held, b"error\"").is_some();
    if held.trim_ascii_start().len() >= LONG_ENOUGH && !has_word {
        ErrorShape::Answer
    } else {
        error_shape(held)
    }
}
