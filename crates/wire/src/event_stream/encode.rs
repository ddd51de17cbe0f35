//! A message, written.

use super::header::{self, HeaderValue};
use super::{MOST_HEADERS, MOST_PAYLOAD, OVERHEAD};

/// Headers or payload are longer than a message may be, or a name is empty; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is too long for a message of an event stream")]
pub struct TooLong;

/// Appends a message of these headers and this payload.
///
/// # Errors
/// Where it is too long; `out` is then as it was.
pub fn encode(headers: &[(&str, HeaderValue<'_>)], payload: &[u8], out: &mut Vec<u8>) -> Result<(), TooLong> {
    let mut written = Vec::with_capacity(128);
    for (name, value) in headers {
        header::write(name, *value, &mut written).ok_or(TooLong)?;
    }
    if written.len() > MOST_HEADERS || payload.len() > MOST_PAYLOAD {
        return Err(TooLong);
    }
    let total = u32::try_from(OVERHEAD + written.len() + payload.len()).map_err(|_| TooLong)?;
    let of_headers = u32::try_from(written.len()).map_err(|_| TooLong)?;
    let mut sum = crc32fast::Hasher::new();
    let mut put = |bytes: &[u8]| {
        sum.update(bytes);
        out.extend_from_slice(bytes);
        sum.clone().finalize().to_be_bytes()
    };
    put(&total.to_be_bytes());
    let of_prelude = put(&of_headers.to_be_bytes());
    put(&of_prelude);
    put(&written);
    let of_all = put(payload);
    out.extend_from_slice(&of_all);
    Ok(())
}
