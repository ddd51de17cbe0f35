//! Where a thing came from: its place in the body, and whose it is.

use std::borrow::Cow;

/// The place of a value in the body that it was read from, in bytes; its path is found from it when
/// somebody must be told ([`Losses`](crate::translate::Losses)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot(u32);

impl Spot {
    /// No place: the value was made, not read.
    pub const NOWHERE: Self = Self(u32::MAX);

    /// The value that begins at this byte. Bodies are far shorter than 4 GiB.
    #[must_use]
    pub fn new(offset: usize) -> Self {
        Self(u32::try_from(offset).unwrap_or(u32::MAX))
    }

    pub(crate) const fn offset(self) -> usize {
        self.0 as usize
    }
}

/// A value that a caller set, with its place. Two are equal where their values are, wherever they stood.
#[derive(Debug, Clone, Copy)]
pub struct Field<T> {
    /// The value.
    pub value: T,
    /// Where it stood.
    pub at: Spot,
}

impl<T> Field<T> {
    /// A value that nobody wrote.
    pub const fn made(value: T) -> Self {
        Self { value, at: Spot::NOWHERE }
    }

    /// Another value at the same place.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Field<U> {
        Field { value: f(self.value), at: self.at }
    }
}

impl<T: PartialEq> PartialEq for Field<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// A JSON value as it was written: key order, numbers and white space are the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw<'a>(Cow<'a, str>);

impl<'a> Raw<'a> {
    /// The text of a JSON value.
    pub(crate) const fn borrowed(json: &'a str) -> Self {
        Self(Cow::Borrowed(json))
    }

    /// A JSON value, if the text is one.
    #[must_use]
    pub fn new(json: Cow<'a, str>) -> Option<Self> {
        crate::json::document(&json).is_ok().then_some(Self(json))
    }

    /// A JSON object.
    ///
    /// # Errors
    /// The text itself, where it is none.
    pub fn object(json: Cow<'a, str>) -> Result<Self, Cow<'a, str>> {
        if crate::translate::json::is_object(&json) { Ok(Self(json)) } else { Err(json) }
    }

    pub(crate) fn into_owned(self) -> Raw<'static> {
        Raw(Cow::Owned(self.0.into_owned()))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Whose a thing is that only its maker understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// OpenAI, over chat or Responses: its files and its seals are known to both.
    OpenAi,
    /// OpenAI over Responses, whose items, tools and fields of its own chat doesn't know.
    OpenAiResponses,
    /// Anthropic, over Messages; its seals hold on Bedrock and Vertex too.
    Anthropic,
    /// Google.
    Gemini,
    /// Cohere.
    Cohere,
    /// Amazon's Converse, where it is not the model's maker that matters.
    Bedrock,
    /// Not told.
    Unknown,
}
