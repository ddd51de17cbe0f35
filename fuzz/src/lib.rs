//! What must hold for every input. Each function takes any bytes, and panics where something doesn't hold.

mod form;
mod request;
mod streaming;

pub use form::multipart;
pub use request::{api_key, redaction, splicer};
pub use streaming::stream;

/// Where a check cuts its input: sizes of 1 to 16 bytes that follow from the seed alone.
struct Cuts(u64);

impl Cuts {
    fn of(data: &[u8]) -> (Self, &[u8]) {
        let (seed, rest) = data.split_first().unwrap_or((&0, &[]));
        (Self(u64::from(*seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), rest)
    }

    fn pieces<'a>(&mut self, mut rest: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let length = (self.0 % 16) as usize + 1;
            let (piece, after) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}
