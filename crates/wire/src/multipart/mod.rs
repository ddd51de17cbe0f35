//! Finding and changing the form field `model` of a `multipart/form-data` body (RFC 7578) that passes
//! through without being kept.
//!
//! Read strictly, since what two readers understand differently is a way around the rules: no preamble
//! but a line end, no folded headers, no bare line feeds in them, no `name*`, nothing behind the end.

mod part_head;
mod scanner;

use bytes::Bytes;
use scanner::{PartScanner, Spot};
use std::ops::Range;

/// How much is held, unless told otherwise, while the model has not come yet: OpenAI takes files of up
/// to 25 MB, and its own Node SDK sends the file first.
pub const DEFAULT_HOLD_BYTES: usize = 32 * 1024 * 1024;

/// A model's name in a form is at most this many bytes.
const MAX_MODEL_BYTES: usize = 256;

/// Why a form is refused, always with status 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMultipart {
    /// The content type isn't `multipart/form-data` with a boundary of RFC 2046.
    #[error("the content type must be multipart/form-data with a boundary")]
    ContentType,
    /// The body breaks the form's grammar.
    #[error("the body is not valid multipart/form-data")]
    Malformed,
    /// The body ended before the form did.
    #[error("the form ends before its closing boundary")]
    Truncated,
    /// A part's headers are longer than 8 KiB.
    #[error("the headers of a form part are longer than 8 KiB")]
    HeadTooLong,
    /// There are more than 256 parts.
    #[error("the form has more than 256 parts")]
    TooManyParts,
    /// `model` occurs twice, so two readers could understand two things.
    #[error("the form field `model` is given more than once")]
    DuplicateModel,
    /// `model` is a file, encoded, not UTF-8, has control characters, or is longer than 256 bytes.
    #[error("the form field `model` must be a plain text of at most 256 bytes")]
    ModelNotText,
    /// Too much came before `model`.
    #[error("the form field `model` comes too late: send it before the file")]
    FieldTooLate,
}

impl BadMultipart {
    /// What the caller is told.
    #[must_use]
    pub fn public_message(self) -> String {
        format!("We could not read the form of your request: {self}.")
    }

    /// The parameter at fault, if it is one.
    #[must_use]
    pub const fn param(self) -> Option<&'static str> {
        match self {
            Self::DuplicateModel | Self::ModelNotText | Self::FieldTooLate => Some("model"),
            _ => None,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ContentType => "invalid_content_type",
            Self::DuplicateModel => "duplicate_parameter",
            Self::ModelNotText => "invalid_type",
            Self::FieldTooLate => "field_too_late",
            _ => "invalid_multipart",
        }
    }
}

/// How far the search has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Feed it more.
    Searching,
    /// The model is there: [`ModelFinder::splice`] can go on.
    Found,
    /// The form has ended, and has no model.
    Ended,
}

/// Holds a form's beginning until its `model` has come.
pub struct ModelFinder {
    scanner: PartScanner,
    held: Vec<Bytes>,
    held_bytes: usize,
    hold_limit: usize,
    model: Option<(String, Range<usize>)>,
    is_stream: bool,
}

/// What can be sent on once the model is known.
pub struct Spliced {
    /// All that was held, the model changed, everything else as it came.
    pub held: Vec<Bytes>,
    /// Watches over what is still to come.
    pub rest: Rest,
    /// By how many bytes the form has become longer (shorter where negative): for `content-length`.
    pub growth: i64,
}

impl ModelFinder {
    /// A finder for a body of this content type.
    ///
    /// # Errors
    /// Where the type isn't `multipart/form-data` with a boundary.
    pub fn new(content_type: &str) -> Result<Self, BadMultipart> {
        let boundary = part_head::boundary_of(content_type)?;
        Ok(Self {
            scanner: PartScanner::new(&boundary),
            held: Vec::new(),
            held_bytes: 0,
            hold_limit: DEFAULT_HOLD_BYTES,
            model: None,
            is_stream: false,
        })
    }

    /// The same with another limit on what is held before the model, in bytes.
    #[must_use]
    pub fn with_hold_limit(mut self, bytes: usize) -> Self {
        self.hold_limit = bytes;
        self
    }

    /// Takes the next piece of the body.
    ///
    /// # Errors
    /// Where the form is malformed, has two models or one that isn't text, or where the model has not
    /// come within the limit.
    pub fn feed(&mut self, chunk: Bytes) -> Result<Progress, BadMultipart> {
        self.held_bytes += chunk.len();
        self.held.push(chunk.clone());
        let mut spots = Vec::new();
        self.scanner.feed(&chunk, &mut |spot| spots.push(spot))?;
        for spot in spots {
            match spot {
                Spot::Model(range) => self.model = Some((self.model_at(range.clone())?, range)),
                Spot::Stream(range) => self.is_stream = self.held_text(range, 8).as_deref() == Some("true"),
            }
        }
        if self.model.is_some() {
            return Ok(Progress::Found);
        }
        if self.scanner.has_ended() {
            return Ok(Progress::Ended);
        }
        if self.held_bytes > self.hold_limit {
            Err(BadMultipart::FieldTooLate)
        } else {
            Ok(Progress::Searching)
        }
    }

    /// The model that was found.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_ref().map(|(name, _)| name.as_str())
    }

    /// Has a field `stream` that says `true` come so far?
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// Bytes held so far.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// The form's beginning with its model named anew, or with one put first where it has none.
    /// Control characters of `new_model` are left out: none can forge a part.
    #[must_use]
    pub fn splice(self, new_model: &str) -> Spliced {
        let new_model: String = new_model.chars().filter(|c| !c.is_control()).collect();
        let (old, new) = match &self.model {
            Some((_, range)) => (range.clone(), new_model),
            None => {
                let first = self.scanner.first_part();
                (first..first, self.scanner.part("model", &new_model))
            }
        };
        let growth = new.len() as i64 - old.len() as i64;
        let held = replace(self.held, &old, Bytes::from(new));
        Spliced { held, rest: Rest { scanner: self.scanner }, growth }
    }

    fn model_at(&self, range: Range<usize>) -> Result<String, BadMultipart> {
        let name = self.held_text(range, MAX_MODEL_BYTES).ok_or(BadMultipart::ModelNotText)?;
        if name.chars().any(char::is_control) { Err(BadMultipart::ModelNotText) } else { Ok(name) }
    }

    fn held_text(&self, range: Range<usize>, limit: usize) -> Option<String> {
        if range.len() > limit {
            return None;
        }
        let mut text = Vec::with_capacity(range.len());
        let mut base = 0;
        for chunk in &self.held {
            text.extend_from_slice(chunk.get(within(&range, base, chunk.len())).unwrap_or_default());
            base += chunk.len();
        }
        String::from_utf8(text).ok()
    }
}

/// Watches the rest of a form, which passes as it comes, for a second model and for a torn end.
pub struct Rest {
    scanner: PartScanner,
}

impl Rest {
    /// Takes the next piece; it may be sent on if this is well.
    ///
    /// # Errors
    /// Where the form is malformed or a second `model` begins: the upstream request must be aborted.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), BadMultipart> {
        self.scanner.feed(chunk, &mut |_| {})
    }

    /// The body has ended.
    ///
    /// # Errors
    /// Where the form has not.
    pub fn finish(&self) -> Result<(), BadMultipart> {
        if self.scanner.has_ended() { Ok(()) } else { Err(BadMultipart::Truncated) }
    }
}

/// The part of a range of the whole that lies within a chunk which begins at `base`.
fn within(range: &Range<usize>, base: usize, length: usize) -> Range<usize> {
    let start = range.start.saturating_sub(base).min(length);
    let end = range.end.saturating_sub(base).min(length);
    start..end
}

/// The chunks with one range of the whole replaced, the rest of them shared, not copied.
fn replace(chunks: Vec<Bytes>, old: &Range<usize>, new: Bytes) -> Vec<Bytes> {
    let mut replaced = Vec::with_capacity(chunks.len() + 2);
    let mut new = Some(new);
    let mut base = 0;
    for chunk in chunks {
        let cut = within(old, base, chunk.len());
        let begins_here = old.start <= base + chunk.len();
        replaced.push(chunk.slice(..cut.start));
        if begins_here {
            replaced.extend(new.take());
        }
        replaced.push(chunk.slice(cut.end..));
        base += chunk.len();
    }
    replaced.retain(|piece| !piece.is_empty());
    replaced
}
