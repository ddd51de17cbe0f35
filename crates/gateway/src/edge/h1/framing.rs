//! Where a request's body ends: by its length, or by its last chunk (RFC 9112, 6 and 7).
//!
//! The reader takes bytes as they come and keeps none: however they are cut, it sees the same.

/// How much of a body is still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes, never 0.
    Length(u64),
    Chunked(Chunked),
    /// Nothing: all of it has come.
    Over,
}

/// A place in a chunked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunked {
    place: Place,
    /// Bytes still to come of the chunk.
    size: u64,
    /// Bytes of extensions and trailers so far: they are passed over, and bounded.
    extra: usize,
    /// Fields of the trailer so far.
    fields: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a size, behind so many digits.
    Size(u8),
    /// In what follows a size, up to its carriage return.
    Extension,
    /// Before the line feed of a size's line.
    SizeEnd,
    Data,
    /// Before the carriage return behind a chunk.
    DataReturn,
    /// Before the line feed behind a chunk.
    DataEnd,
    /// At the beginning of a line of the trailer.
    Trailer,
    /// In the name of such a line's field.
    TrailerName,
    /// Behind it.
    TrailerLine,
    /// Before the line feed of such a line.
    TrailerLineEnd,
    /// Before the very last line feed.
    LastEnd,
}

/// The framing can't be what the client meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadFraming;

impl Framing {
    pub(super) const fn length(length: u64) -> Self {
        if length == 0 { Self::Over } else { Self::Length(length) }
    }

    pub(super) const fn chunked() -> Self {
        Self::Chunked(Chunked { place: Place::Size(0), size: 0, extra: 0, fields: 0 })
    }

    /// The next piece of the body at the beginning of `bytes`, which moves past it; none where `bytes` is used up,
    /// or where [`Framing::Over`] is reached.
    pub(super) fn take<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, BadFraming> {
        match self {
            Self::Over => Ok(None),
            Self::Length(left) => {
                let data = take_up_to(left, bytes);
                if *left == 0 {
                    *self = Self::Over;
                }
                Ok(data)
            }
            Self::Chunked(chunked) => {
                while let Some((byte, rest)) = bytes.split_first() {
                    if chunked.place == Place::Data {
                        let data = take_up_to(&mut chunked.size, bytes);
                        if chunked.size == 0 {
                            chunked.place = Place::DataReturn;
                        }
                        return Ok(data);
                    }
                    *bytes = rest;
                    if chunked.step(*byte)? {
                        *self = Self::Over;
                        return Ok(None);
                    }
                }
                Ok(None)
            }
        }
    }
}

impl Chunked {
    /// Goes on by a byte of the framing; true at the end of the body.
    fn step(&mut self, byte: u8) -> Result<bool, BadFraming> {
        self.place = match (self.place, byte) {
            (Place::Size(digits), _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).ok_or(BadFraming)?;
                self.size = self.size << 4 | u64::from(digit);
                if digits == MOST_DIGITS {
                    return Err(BadFraming);
                }
                Place::Size(digits + 1)
            }
            (Place::Size(1..), b'\r') | (Place::Extension, b'\r') => Place::SizeEnd,
            (Place::Size(1..), b';') => Place::Extension,
            (Place::Extension, _) if is_text(byte) => self.passed(Place::Extension)?,
            (Place::SizeEnd, b'\n') if self.size == 0 => Place::Trailer,
            (Place::SizeEnd, b'\n') => Place::Data,
            (Place::DataReturn, b'\r') => Place::DataEnd,
            (Place::DataEnd, b'\n') => Place::Size(0),
            (Place::Trailer, b'\r') => Place::LastEnd,
            (Place::TrailerLine, b'\r') => Place::TrailerLineEnd,
            (Place::Trailer, _) if is_of_name(byte) && self.fields < MOST_FIELDS => {
                self.fields += 1;
                self.passed(Place::TrailerName)?
            }
            (Place::TrailerName, b':') => Place::TrailerLine,
            (Place::TrailerName, _) if is_of_name(byte) => self.passed(Place::TrailerName)?,
            (Place::TrailerLine, _) if is_text(byte) => self.passed(Place::TrailerLine)?,
            (Place::TrailerLineEnd, b'\n') => Place::Trailer,
            (Place::LastEnd, b'\n') => return Ok(true),
            _ => return Err(BadFraming),
        };
        Ok(false)
    }

    fn passed(&mut self, place: Place) -> Result<Place, BadFraming> {
        self.extra += 1;
        if self.extra > MOST_EXTRA { Err(BadFraming) } else { Ok(place) }
    }
}

/// Of a chunk's size: no chunk of ours is larger, and no size overflows.
const MOST_DIGITS: u8 = 15;
/// Bytes of extensions and trailers of a whole body.
const MOST_EXTRA: usize = 16 * 1024;
/// As many as a head may have.
const MOST_FIELDS: usize = 100;

/// May that byte be in a field's name (RFC 9110, 5.6.2)?
const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn take_up_to<'a>(left: &mut u64, bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    let (data, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    *left -= count as u64;
    (!data.is_empty()).then_some(data)
}
