//! Messages, read from a stream that comes in pieces of any size.

use super::{Damage, MOST_HEADERS, MOST_PAYLOAD, Message, OVERHEAD, PRELUDE, header};

/// Collects a stream's messages. Whole ones are read where they are; only torn ones are copied, once.
#[derive(Debug, Default)]
pub struct Decoder {
    torn: Vec<u8>,
    damage: Option<Damage>,
}

impl Decoder {
    /// Gives each message that ends in this piece.
    ///
    /// # Errors
    /// Where the stream is damaged. There is no finding back into it: every later piece gives the same error.
    pub fn push(&mut self, piece: &[u8], each: &mut dyn FnMut(Message<'_>)) -> Result<(), Damage> {
        if let Some(damage) = self.damage {
            return Err(damage);
        }
        self.read(piece, each).inspect_err(|damage| {
            self.damage = Some(*damage);
            self.torn = Vec::new();
        })
    }

    /// The bytes of the message whose end has not come.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.torn.len()
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// Where it ended within a message, or was damaged before.
    pub const fn finish(&self) -> Result<(), Damage> {
        match self.damage {
            Some(damage) => Err(damage),
            None if self.torn.is_empty() => Ok(()),
            None => Err(Damage::Torn),
        }
    }

    fn read(&mut self, piece: &[u8], each: &mut dyn FnMut(Message<'_>)) -> Result<(), Damage> {
        let mut rest = piece;
        while !rest.is_empty() {
            if self.torn.is_empty()
                && let Some(total) = length(rest)?
                && let Some((whole, after)) = rest.split_at_checked(total)
            {
                each(message(whole)?);
                rest = after;
                continue;
            }
            let total = length(&self.torn)?;
            let missing = total.unwrap_or(PRELUDE).saturating_sub(self.torn.len());
            let (more, after) = rest.split_at(missing.min(rest.len()));
            self.torn.extend_from_slice(more);
            rest = after;
            // The lengths are checked as soon as they are there, not when more comes.
            if length(&self.torn)? == Some(self.torn.len()) {
                each(message(&self.torn)?);
                self.torn.clear();
            }
        }
        Ok(())
    }
}

/// The whole length of the message that begins here, once its prelude is there and sound.
fn length(bytes: &[u8]) -> Result<Option<usize>, Damage> {
    let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else { return Ok(None) };
    let [a, b, c, d, e, f, g, h, sum @ ..] = *prelude;
    if crc32fast::hash(&[a, b, c, d, e, f, g, h]) != u32::from_be_bytes(sum) {
        return Err(Damage::PreludeChecksum);
    }
    let total = u32::from_be_bytes([a, b, c, d]) as usize;
    let headers = u32::from_be_bytes([e, f, g, h]) as usize;
    let payload = total.checked_sub(OVERHEAD).and_then(|inner| inner.checked_sub(headers));
    match payload {
        Some(payload) if payload <= MOST_PAYLOAD && headers <= MOST_HEADERS => Ok(Some(total)),
        _ => Err(Damage::Length),
    }
}

/// The message that these bytes are, all of them.
fn message(whole: &[u8]) -> Result<Message<'_>, Damage> {
    let (summed, sum) = whole.split_last_chunk().ok_or(Damage::Length)?;
    if crc32fast::hash(summed) != u32::from_be_bytes(*sum) {
        return Err(Damage::Checksum);
    }
    let (prelude, inner) = summed.split_first_chunk::<PRELUDE>().ok_or(Damage::Length)?;
    let [_, _, _, _, e, f, g, h, ..] = *prelude;
    let of_headers = u32::from_be_bytes([e, f, g, h]) as usize;
    let (headers, payload) = inner.split_at_checked(of_headers).ok_or(Damage::Length)?;
    Ok(Message { headers: header::read_all(headers)?, payload })
}
