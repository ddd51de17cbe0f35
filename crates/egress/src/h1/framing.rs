//! Where a body ends: by its length, by its last chunk, or with the connection (RFC 9112, 6 and 7).

use std::io::Write as _;

use bytes::{Bytes, BytesMut};

use crate::error::Lost;

/// How much of a body is still to come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked(Chunk),
    UntilClose,
    /// Nothing: all of it has come.
    Over,
}

/// A place in a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Before a size line.
    Size,
    /// In a chunk, so many bytes before its end.
    Data(u64),
    /// Before the line end behind a chunk.
    End,
    /// In the trailer section, so many bytes of it passed over.
    Trailer(usize),
}

impl Framing {
    pub(super) const fn length(length: u64) -> Self {
        if length == 0 { Self::Over } else { Self::Length(length) }
    }

    pub(super) const fn chunked() -> Self {
        Self::Chunked(Chunk::Size)
    }

    /// Takes the next piece of the body from the buffer, and everything of the framing around it that is there;
    /// none where more must be read, or where [`Framing::Over`] is reached.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Lost> {
        self.pass(buffer)?;
        let data = match self {
            Self::Over => return Ok(None),
            Self::UntilClose => buffer.split(),
            Self::Length(left) => take_up_to(left, buffer),
            Self::Chunked(Chunk::Data(left)) => take_up_to(left, buffer),
            Self::Chunked(_) => return Ok(None),
        };
        match self {
            Self::Length(0) => *self = Self::Over,
            Self::Chunked(Chunk::Data(0)) => {
                *self = Self::Chunked(Chunk::End);
                // The end, where it has come already, is known at once.
                self.pass(buffer)?;
            }
            _ => {}
        }
        Ok((!data.is_empty()).then(|| data.freeze()))
    }

    /// Passes over framing, up to the next data.
    fn pass(&mut self, buffer: &mut BytesMut) -> Result<(), Lost> {
        while let Self::Chunked(chunk) = self {
            match chunk {
                Chunk::Data(_) => return Ok(()),
                Chunk::End => {
                    let Some(line) = take_line(buffer)? else { return Ok(()) };
                    if !line.is_empty() {
                        return Err(Lost::Malformed);
                    }
                    *chunk = Chunk::Size;
                }
                Chunk::Size => {
                    let Some(line) = take_line(buffer)? else { return Ok(()) };
                    *chunk = match size_of(&line)? {
                        0 => Chunk::Trailer(0),
                        size => Chunk::Data(size),
                    };
                }
                Chunk::Trailer(passed) => {
                    let Some(line) = take_line(buffer)? else { return Ok(()) };
                    *passed += line.len();
                    if *passed > MOST_TRAILER_BYTES {
                        return Err(Lost::Malformed);
                    }
                    if line.is_empty() {
                        *self = Self::Over;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Chunk extensions are of no use, and of no bounded length.
const MOST_LINE_BYTES: usize = 4 * 1024;
const MOST_TRAILER_BYTES: usize = 16 * 1024;

fn take_up_to(left: &mut u64, buffer: &mut BytesMut) -> BytesMut {
    let count = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= count as u64;
    buffer.split_to(count)
}

/// A line without its end, where it is whole. A line feed alone ends none: others may see it otherwise.
fn take_line(buffer: &mut BytesMut) -> Result<Option<BytesMut>, Lost> {
    let Some(end) = buffer.iter().take(MOST_LINE_BYTES).position(|byte| *byte == b'\n') else {
        return if buffer.len() >= MOST_LINE_BYTES { Err(Lost::Malformed) } else { Ok(None) };
    };
    let mut line = buffer.split_to(end + 1);
    line.truncate(end);
    match line.split_last() {
        Some((b'\r', text)) if !text.contains(&b'\r') => {
            line.truncate(end - 1);
            Ok(Some(line))
        }
        _ => Err(Lost::Malformed),
    }
}

/// The size of a chunk: hexadecimal digits, then nothing, or an extension.
fn size_of(line: &[u8]) -> Result<u64, Lost> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, rest) = line.split_at_checked(digits).ok_or(Lost::Malformed)?;
    let is_extension = rest.trim_ascii_start().first().is_none_or(|byte| *byte == b';');
    if size.is_empty() || size.len() > 15 || !is_extension {
        return Err(Lost::Malformed);
    }
    let text = std::str::from_utf8(size).map_err(|_| Lost::Malformed)?;
    u64::from_str_radix(text, 16).map_err(|_| Lost::Malformed)
}

/// The end of a chunked body without a trailer.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes a piece of a request's body. An empty one is left out: as a chunk it would be the last.
pub(super) fn write_piece(data: &[u8], is_chunked: bool, out: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    if !is_chunked {
        out.extend_from_slice(data);
        return;
    }
    // Writing into a vector can't fail.
    let _ = write!(out, "{:x}\r\n", data.len());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}
