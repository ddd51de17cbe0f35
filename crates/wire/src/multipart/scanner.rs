//! Walks a form piece by piece, keeping no more of it than the headers of one part.

use super::BadMultipart;
use super::part_head::{Field, field_of};
use std::ops::Range;

const MAX_HEAD_BYTES: usize = 8 * 1024;
const MAX_PARTS: u32 = 256;

/// A field of interest whose value has come: where it lies in the whole body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spot {
    Model(Range<usize>),
    Stream(Range<usize>),
}

/// The walker.
pub(super) struct PartScanner {
    /// `\n--boundary`. LF is nowhere else in it, so a failed match can only begin anew. The CR that
    /// must come before it is judged when it has matched: there are readers that do without.
    delimiter: Vec<u8>,
    place: Place,
    /// Bytes of the body so far.
    offset: usize,
    /// The byte before the next one.
    previous: u8,
    head: Vec<u8>,
    parts: u32,
    has_model: bool,
    /// Where the first delimiter's dashes are.
    first_part: usize,
}

enum Place {
    /// Within a part's value, or before the first part: so many bytes of the delimiter have matched.
    Value { matched: usize, is_after_cr: bool, field: Field, start: usize },
    /// Behind a delimiter: a line end opens a part, two dashes close the form.
    BehindDelimiter { first: Option<u8> },
    /// Within a part's headers.
    Head,
    /// Behind the closing delimiter: so many bytes of the one line end that may follow have come.
    Epilogue { line_end: usize },
}

impl PartScanner {
    pub(super) fn new(boundary: &str) -> Self {
        Self {
            delimiter: format!("\n--{boundary}").into_bytes(),
            // The first delimiter begins a line, and no line end needs to come before it.
            place: Place::Value { matched: 1, is_after_cr: true, field: Field::Preamble, start: 0 },
            offset: 0,
            previous: b'\n',
            head: Vec::new(),
            parts: 0,
            has_model: false,
            first_part: 0,
        }
    }

    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.place, Place::Epilogue { .. })
    }

    /// Where a part can be put before all others.
    pub(super) const fn first_part(&self) -> usize {
        self.first_part
    }

    /// A part to be put there.
    pub(super) fn part(&self, name: &str, value: &str) -> String {
        let dashes = String::from_utf8_lossy(self.delimiter.get(1..).unwrap_or_default());
        format!("{dashes}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    pub(super) fn feed(&mut self, piece: &[u8], found: &mut impl FnMut(Spot)) -> Result<(), BadMultipart> {
        let base = self.offset;
        while let Some(rest) = piece.get(self.offset - base..).filter(|rest| !rest.is_empty()) {
            match &mut self.place {
                Place::Value { .. } => self.value(rest, found)?,
                Place::BehindDelimiter { .. } => self.behind_delimiter(rest)?,
                Place::Head => self.head(rest)?,
                Place::Epilogue { .. } => self.epilogue(rest)?,
            }
        }
        Ok(())
    }

    fn value(&mut self, rest: &[u8], found: &mut impl FnMut(Spot)) -> Result<(), BadMultipart> {
        let Place::Value { matched, is_after_cr, field, start } = &mut self.place else {
            return Ok(());
        };
        let mut passed = 0;
        while let Some(byte) = rest.get(passed) {
            if *matched == 0 {
                let Some(plain) = memchr::memchr(b'\n', rest.get(passed..).unwrap_or_default()) else {
                    passed = rest.len();
                    break;
                };
                passed += plain;
                let before = passed.checked_sub(1).and_then(|at| rest.get(at)).unwrap_or(&self.previous);
                *is_after_cr = *before == b'\r';
                *matched = 1;
                passed += 1;
            } else if self.delimiter.get(*matched) == Some(byte) {
                *matched += 1;
                passed += 1;
                if *matched == self.delimiter.len() {
                    break;
                }
            } else {
                // Not passed: it may be the LF that begins the delimiter.
                *matched = 0;
            }
        }
        self.offset += passed;
        self.previous = passed.checked_sub(1).and_then(|at| rest.get(at)).copied().unwrap_or(self.previous);
        let before = self.offset.saturating_sub(*matched);
        let is_cr = if *matched == 0 { self.previous == b'\r' } else { *is_after_cr };
        // Before the first delimiter there may be one line end and nothing else.
        if *field == Field::Preamble && before > usize::from(is_cr) {
            return Err(BadMultipart::Malformed);
        }
        if *matched < self.delimiter.len() {
            return Ok(());
        }
        let end = self.offset.saturating_sub(self.delimiter.len() + 1);
        // A delimiter with no line end of its own would be one for some readers and text for others.
        if !*is_after_cr || end < *start {
            return Err(BadMultipart::Malformed);
        }
        match field {
            Field::Model => found(Spot::Model(*start..end)),
            Field::Stream => found(Spot::Stream(*start..end)),
            Field::Preamble => self.first_part = self.offset - (self.delimiter.len() - 1),
            Field::Other => {}
        }
        self.place = Place::BehindDelimiter { first: None };
        Ok(())
    }

    fn behind_delimiter(&mut self, rest: &[u8]) -> Result<(), BadMultipart> {
        let Place::BehindDelimiter { first } = &mut self.place else {
            return Ok(());
        };
        let Some(byte) = rest.first().copied() else {
            return Ok(());
        };
        self.offset += 1;
        match (*first, byte) {
            (None, b'\r' | b'-') => *first = Some(byte),
            (Some(b'\r'), b'\n') => {
                self.parts += 1;
                if self.parts > MAX_PARTS {
                    return Err(BadMultipart::TooManyParts);
                }
                self.head.clear();
                self.place = Place::Head;
            }
            (Some(b'-'), b'-') => self.place = Place::Epilogue { line_end: 0 },
            _ => return Err(BadMultipart::Malformed),
        }
        Ok(())
    }

    fn head(&mut self, rest: &[u8]) -> Result<(), BadMultipart> {
        for byte in rest {
            self.offset += 1;
            self.head.push(*byte);
            if self.head.len() > MAX_HEAD_BYTES {
                return Err(BadMultipart::HeadTooLong);
            }
            if self.head.ends_with(b"\r\n\r\n") {
                return self.open_value();
            }
        }
        Ok(())
    }

    fn open_value(&mut self) -> Result<(), BadMultipart> {
        let field = field_of(&self.head)?;
        if field == Field::Model {
            if self.has_model {
                return Err(BadMultipart::DuplicateModel);
            }
            self.has_model = true;
        }
        // The line end of the headers counts as matched, so that a delimiter that borrows it is seen.
        self.place = Place::Value { matched: 1, is_after_cr: true, field, start: self.offset };
        self.previous = b'\n';
        Ok(())
    }

    fn epilogue(&mut self, rest: &[u8]) -> Result<(), BadMultipart> {
        let Place::Epilogue { line_end } = &mut self.place else {
            return Ok(());
        };
        for byte in rest {
            if b"\r\n".get(*line_end) != Some(byte) {
                return Err(BadMultipart::Malformed);
            }
            *line_end += 1;
            self.offset += 1;
        }
        Ok(())
    }
}
