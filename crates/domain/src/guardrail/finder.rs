//! What a rule looks for: each finder says how long what it looks for can be, so that a text can be judged as it comes.

use super::checked::BadGuardrail;
use super::detect;
use super::document::Detector;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, Look, LookSet};
use std::fmt::Write as _;
use std::ops::Range;

/// Bytes of the longest match of a pattern: so much is held back of a stream.
pub const LONGEST_MATCH: usize = 512;
/// Bytes of a pattern as it is written.
const LONGEST_PATTERN: usize = 500;
/// Characters of a keyword.
const LONGEST_KEYWORD: usize = 100;
/// Bytes of a compiled pattern, and of the table that is made of it while it is used. What takes more would take too
/// much time for each byte of a text as well.
const PROGRAM_BYTES: usize = 96 * 1024;
const TABLE_BYTES: usize = 256 * 1024;
/// Groups within groups of a pattern.
const DEEPEST_PATTERN: u32 = 24;

/// Finds one kind of thing.
#[derive(Debug, Clone)]
pub struct Finder {
    kind: Kind,
    longest: usize,
}

#[derive(Debug, Clone)]
enum Kind {
    Pattern(Regex),
    Shape(&'static detect::Shape),
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where its bounded beginning stands.
    pub span: Range<usize>,
    /// What runs on behind it.
    pub tail: Tail,
}

/// What belongs to a match behind its beginning, however long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    None,
    /// The rest of a key: letters, digits, `-`, `_`, and of some `.`.
    Token {
        /// Is a dot part of it?
        has_dots: bool,
    },
    /// The body of a PEM block, up to the dashes of its end, or so many bytes.
    Pem {
        /// Dashes in a row so far.
        dashes: u8,
        /// Bytes that may still be of it.
        left: u16,
    },
}

impl Tail {
    /// The body of a PEM block whose beginning has been found: no key takes 16 KiB.
    pub(super) const PEM: Self = Self::Pem { dashes: 0, left: 16 * 1024 };

    /// Takes the next character into it; false where it is none of it, and it is over.
    pub(super) fn takes(&mut self, c: char) -> bool {
        match self {
            Self::None => false,
            Self::Token { has_dots } => {
                c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || (*has_dots && c == '.')
            }
            Self::Pem { dashes, left } => {
                let length = u16::try_from(c.len_utf8()).unwrap_or(u16::MAX);
                if *dashes == 5 || *left < length {
                    return false;
                }
                *left -= length;
                *dashes = if c == '-' { *dashes + 1 } else { 0 };
                true
            }
        }
    }
}

impl Finder {
    /// Finds what a detector knows.
    #[must_use]
    pub fn detector(detector: Detector) -> Self {
        let shape = detect::shape(detector);
        Self { kind: Kind::Shape(shape), longest: shape.longest }
    }

    /// Finds a regular expression.
    ///
    /// # Errors
    /// Where it isn't one, can't tell how long a match is, can match nothing, asks where the text begins or ends, or
    /// takes too much memory.
    pub fn pattern(text: &str) -> Result<Self, BadGuardrail> {
        if text.len() > LONGEST_PATTERN {
            return Err(BadGuardrail(format!("a `pattern` is {LONGEST_PATTERN} bytes at the most")));
        }
        let bad = |why: &str| BadGuardrail(format!("the `pattern` {why}"));
        let hir = regex_syntax::ParserBuilder::new().nest_limit(DEEPEST_PATTERN).build().parse(text);
        let hir =
            hir.map_err(|error| bad(&format!("is no regular expression: {}", short(&error.to_string()))))?;
        let longest = longest(&hir)?;
        let regex = RegexBuilder::new(text)
            .size_limit(PROGRAM_BYTES)
            .dfa_size_limit(TABLE_BYTES)
            .nest_limit(DEEPEST_PATTERN)
            .build()
            .map_err(|_| {
                bad("takes too much memory; write it shorter, with smaller counts or ASCII classes")
            })?;
        Ok(Self { kind: Kind::Pattern(regex), longest })
    }

    /// Finds words and phrases, in any case, and however many spaces are within them; not within longer words.
    ///
    /// # Errors
    /// Where one is empty or too long, or all together take too much memory.
    pub fn keywords(keywords: &[String]) -> Result<Self, BadGuardrail> {
        let mut longest_first: Vec<Vec<&str>> = Vec::with_capacity(keywords.len());
        for (place, keyword) in keywords.iter().enumerate() {
            let words: Vec<&str> = keyword.split_whitespace().collect();
            if words.is_empty() || keyword.chars().count() > LONGEST_KEYWORD {
                let number = place + 1;
                return Err(BadGuardrail(format!(
                    "keyword number {number}: a keyword is 1 to {LONGEST_KEYWORD} characters"
                )));
            }
            longest_first.push(words);
        }
        longest_first
            .sort_by_key(|words| std::cmp::Reverse(words.iter().map(|word| word.len()).sum::<usize>()));
        let mut pattern = String::from("(?i)(?:");
        for (place, words) in longest_first.iter().enumerate() {
            let written =
                words.iter().map(|word| regex_syntax::escape(word)).collect::<Vec<_>>().join(r"\s{1,4}");
            let edge = |c: Option<char>| if c.is_some_and(char::is_alphanumeric) { r"\b" } else { "" };
            let first = edge(words.first().and_then(|word| word.chars().next()));
            let last = edge(words.last().and_then(|word| word.chars().next_back()));
            // Writing into a string can't fail.
            let _ = write!(pattern, "{}{first}{written}{last}", if place > 0 { "|" } else { "" });
        }
        pattern.push(')');
        let too_much = || BadGuardrail("the `keywords` take too much memory; write fewer of them".to_owned());
        let hir = regex_syntax::parse(&pattern).map_err(|_| too_much())?;
        let longest = longest(&hir)?;
        let regex = RegexBuilder::new(&pattern)
            .size_limit(8 * PROGRAM_BYTES)
            .dfa_size_limit(2 * TABLE_BYTES)
            .build()
            .map_err(|_| too_much())?;
        Ok(Self { kind: Kind::Pattern(regex), longest })
    }

    /// Bytes that what is looked for can take at the most, without its tail.
    #[must_use]
    pub const fn longest(&self) -> usize {
        self.longest
    }

    /// The first thing in the text that begins at `from` or behind it. What stands before `from` is only looked back at,
    /// a character of it.
    #[must_use]
    pub fn find(&self, text: &str, from: usize) -> Option<Found> {
        match &self.kind {
            Kind::Pattern(regex) => {
                let found = regex.find_at(text, from)?;
                Some(Found { span: found.range(), tail: Tail::None })
            }
            Kind::Shape(shape) => (shape.find)(text, from),
        }
    }
}

/// How long a match can be; and whether it can be told from what stands there, a character before and one behind.
fn longest(hir: &Hir) -> Result<usize, BadGuardrail> {
    let bad = |why: &str| Err(BadGuardrail(format!("the `pattern` {why}")));
    let properties = hir.properties();
    let ends = LookSet::empty().insert(Look::Start).insert(Look::End);
    if !properties.look_set().intersect(ends).is_empty() {
        return bad(
            "asks where the text begins or ends (^, $, \\A, \\z), which of a stream can't be told; leave that out",
        );
    }
    let of_carriage_return = LookSet::empty().insert(Look::StartCRLF).insert(Look::EndCRLF);
    if !properties.look_set().intersect(of_carriage_return).is_empty() {
        return bad("has the flag R, which is not known here; leave it out");
    }
    if properties.minimum_len().is_none_or(|shortest| shortest == 0) {
        return bad("can match nothing at all; have it match a character at least");
    }
    match properties.maximum_len() {
        Some(longest) if longest <= LONGEST_MATCH => Ok(longest),
        Some(longest) => bad(&format!("can match {longest} bytes, and there can be {LONGEST_MATCH}")),
        None => bad("does not say how long a match can be; write {1,40} in place of + and *"),
    }
}

/// The last line of what a parser says, which tells what is wrong.
fn short(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").chars().take(160).collect()
}
