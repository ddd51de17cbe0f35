//! The two forms of a stream: events with `?alt=sse`, else one JSON array of the same objects.

use crate::translate::frames::Frames;
use crate::translate::memory_to_translate;

/// The longest object that is held, as with events.
const MOST: usize = 64 << 20;

/// Collects a stream's objects, whichever form it has.
#[derive(Debug, Default)]
pub(super) enum Chunks {
    /// Nothing but white space has come yet.
    #[default]
    Unknown,
    Events(Frames),
    Array(Array),
}

/// A JSON array in pieces.
#[derive(Debug, Default)]
pub(super) struct Array {
    held: Vec<u8>,
    /// What reading it will take of memory, so far.
    reading_takes: usize,
    depth: u32,
    is_in_string: bool,
    is_escaped: bool,
    is_closed: bool,
}

impl Chunks {
    /// Gives each object that ends in this piece.
    pub(super) fn push(&mut self, piece: &[u8], each: &mut dyn FnMut(&str)) {
        let mut piece = piece;
        if let Self::Unknown = self {
            piece = piece.trim_ascii_start();
            match piece.first() {
                None => return,
                Some(b'[' | b'{') => *self = Self::Array(Array::default()),
                Some(_) => *self = Self::Events(Frames::default()),
            }
        }
        match self {
            Self::Unknown => {}
            Self::Events(frames) => frames.push(piece, &mut |_, data| each(data)),
            Self::Array(array) => array.push(piece, each),
        }
    }

    /// What the object whose end has not come takes of memory, bytes, when it is read at the latest.
    pub(super) const fn held_bytes(&self) -> usize {
        match self {
            Self::Unknown => 0,
            Self::Events(frames) => frames.held_bytes(),
            Self::Array(array) => array.reading_takes,
        }
    }

    /// The stream has ended: what was held back. Tells whether its form was whole; that of events always is.
    pub(super) fn finish(&mut self, each: &mut dyn FnMut(&str)) -> bool {
        match self {
            Self::Unknown => false,
            Self::Events(frames) => {
                frames.finish(&mut |_, data| each(data));
                true
            }
            Self::Array(array) => array.is_closed,
        }
    }
}

impl Array {
    fn push(&mut self, piece: &[u8], each: &mut dyn FnMut(&str)) {
        for byte in piece {
            self.take(*byte, each);
        }
        // No more than what has just come is counted anew.
        let added = self.held.len().min(piece.len());
        let last = self.held.get(self.held.len() - added..).unwrap_or_default();
        self.reading_takes =
            if self.held.is_empty() { 0 } else { self.reading_takes + memory_to_translate(last) };
    }

    fn take(&mut self, byte: u8, each: &mut dyn FnMut(&str)) {
        if self.depth == 0 {
            match byte {
                b'{' => self.depth = 1,
                b']' => {
                    self.is_closed = true;
                    return;
                }
                // The array's own bracket, commas and white space.
                _ => return,
            }
            self.held.push(byte);
            return;
        }
        if self.held.len() < MOST {
            self.held.push(byte);
        }
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_in_string => self.is_escaped = true,
            b'"' => self.is_in_string = !self.is_in_string,
            _ if self.is_in_string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        if self.depth == 0 {
            each(&String::from_utf8_lossy(&self.held));
            self.held.clear();
            self.reading_takes = 0;
        }
    }
}
