//! Where a check cuts its input.

/// Sizes of 1 to 16 bytes that follow from the seed alone.
pub(crate) struct Cuts(u64);

impl Cuts {
    /// The cuts that the input's first byte asks for, and the rest of the input.
    pub(crate) fn of(data: &[u8]) -> (Self, &[u8]) {
        let (seed, rest) = data.split_first().unwrap_or((&0, &[]));
        (Self(u64::from(*seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), rest)
    }

    pub(crate) fn pieces<'a>(&mut self, mut rest: &'a [u8]) -> Vec<&'a [u8]> {
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
