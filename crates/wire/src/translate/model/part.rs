//! What messages are made of.

use super::{Arguments, Field, Maker, Raw, Spot};
use std::borrow::Cow;

/// A stretch of text.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// What it rests on, in an assistant's text.
    pub citations: Vec<Citation<'a>>,
    /// A seal of its maker (Gemini signs texts too).
    pub seal: Option<Seal<'a>>,
    /// The prompt up to here is to be cached.
    pub cache: Option<CacheMark>,
    /// Where it stood.
    pub at: Spot,
}

/// What a user sends or a tool gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Content<'a> {
    /// Text.
    Text(Text<'a>),
    /// An image, a sound, a film, a document.
    Media(Media<'a>),
    /// A part that only its owner knows.
    Native(Native<'a>),
}

/// What a model says, whether in an answer or replayed in the next request. Order is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum AssistantPart<'a> {
    /// Text.
    Text(Text<'a>),
    /// Its reasoning.
    Reasoning(Reasoning<'a>),
    /// A call of one of the caller's tools.
    ToolCall(ToolCall<'a>),
    /// It declined, in these words.
    Refusal(Text<'a>),
    /// An image or a sound that it made.
    Media(Media<'a>),
    /// A part that only its owner knows, such as a call of a tool that the provider runs itself.
    Native(Native<'a>),
}

/// An image, a sound, a film or a document.
#[derive(Debug, Clone)]
pub struct Media<'a> {
    /// Which.
    pub kind: MediaKind,
    /// Its bytes, or where they are.
    pub source: Source<'a>,
    /// How closely an image is to be looked at.
    pub detail: Option<Field<Detail>>,
    /// The file's name, or a document's title.
    pub title: Option<Field<Cow<'a, str>>>,
    /// What the model is told of a document beside it.
    pub context: Option<Field<Cow<'a, str>>>,
    /// May the model cite a document?
    pub cites: Option<Field<bool>>,
    /// The prompt up to here is to be cached.
    pub cache: Option<CacheMark>,
    /// Where it stood.
    pub at: Spot,
}

/// What kind of medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A PDF or another document.
    Document,
}

/// Where the bytes of a medium are.
#[derive(Debug, Clone, PartialEq)]
pub enum Source<'a> {
    /// At an address that the provider fetches.
    Url(Cow<'a, str>),
    /// Here, in base64.
    Base64 {
        /// Its media type, such as `image/png`; empty where it was not told.
        media_type: Cow<'a, str>,
        /// The base64 text, as it came.
        data: Cow<'a, str>,
    },
    /// Here, as text (a plain-text document).
    Text {
        /// Its media type.
        media_type: Cow<'a, str>,
        /// The text.
        text: Cow<'a, str>,
    },
    /// In parts of its own (a document made of blocks).
    Parts(Vec<Content<'a>>),
    /// At the provider, which alone knows the id.
    Stored {
        /// Who keeps it.
        owner: Maker,
        /// Its id there.
        id: Cow<'a, str>,
    },
}

/// How closely an image is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// As the model likes.
    Auto,
    /// Coarsely.
    Low,
    /// Finely.
    High,
    /// As it is, unscaled.
    Original,
}

/// A call of a caller's tool.
#[derive(Debug, Clone)]
pub struct ToolCall<'a> {
    /// Its id, by which its result will name it.
    pub id: Cow<'a, str>,
    /// The tool's name.
    pub name: Cow<'a, str>,
    /// What it is called with.
    pub arguments: Arguments<'a>,
    /// A seal of its maker.
    pub seal: Option<Seal<'a>>,
    /// The prompt up to here is to be cached.
    pub cache: Option<CacheMark>,
    /// Where it stood.
    pub at: Spot,
}

/// What a caller's tool gave.
#[derive(Debug, Clone)]
pub struct ToolResult<'a> {
    /// The id of the call.
    pub call_id: Cow<'a, str>,
    /// What it gave.
    pub parts: Vec<Content<'a>>,
    /// Did it fail? Only ever told where it did.
    pub is_error: Option<Field<()>>,
    /// The prompt up to here is to be cached.
    pub cache: Option<CacheMark>,
    /// Where it stood.
    pub at: Spot,
}

/// A stretch of reasoning. Those with the same `id` belong to one item.
#[derive(Debug, Clone)]
pub struct Reasoning<'a> {
    /// The text; empty where it is withheld.
    pub text: Cow<'a, str>,
    /// Is the text a summary of the reasoning, not the reasoning?
    pub is_summary: bool,
    /// What proves it, or holds what is withheld.
    pub seal: Option<Seal<'a>>,
    /// The maker's id of the item.
    pub id: Option<Cow<'a, str>>,
    /// Where it stood.
    pub at: Spot,
}

/// Bytes of a maker that must return to it as they are, and mean nothing to anyone else.
#[derive(Debug, Clone, PartialEq)]
pub struct Seal<'a> {
    /// Who made it.
    pub maker: Maker,
    /// What it is.
    pub kind: SealKind,
    /// The bytes, in the maker's own text form.
    pub data: Cow<'a, str>,
}

/// What a seal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealKind {
    /// It signs the text beside it.
    Signature,
    /// It holds the reasoning itself, encrypted.
    Encrypted,
}

/// What a stretch of text rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Citation<'a> {
    /// The address of what is cited, if it has one.
    pub url: Option<Cow<'a, str>>,
    /// Its title.
    pub title: Option<Cow<'a, str>>,
    /// The cited words.
    pub cited_text: Option<Cow<'a, str>>,
    /// Which characters of the message's text rest on it, from and up to; none: the text part it is on.
    pub span: Option<(u64, u64)>,
    /// The citation in its owner's own words, which say more.
    pub native: Option<Native<'a>>,
}

/// The prompt up to a part is to be cached.
#[derive(Debug, Clone, Copy)]
pub struct CacheMark {
    /// For how long; none: the provider's default.
    pub ttl: Option<CacheTtl>,
    /// Where it stood.
    pub at: Spot,
}

/// How long a cached prompt is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheTtl {
    /// Five minutes.
    FiveMinutes,
    /// Thirty minutes.
    ThirtyMinutes,
    /// An hour.
    OneHour,
    /// Twelve hours.
    TwelveHours,
}

/// A JSON value that only its owner understands, as it stands.
#[derive(Debug, Clone)]
pub struct Native<'a> {
    /// Whose it is.
    pub owner: Maker,
    /// The field's name, where it is one; else empty.
    pub name: Cow<'a, str>,
    /// The value.
    pub value: Raw<'a>,
    /// Where it stood.
    pub at: Spot,
}

/// Equal in all but where they stood.
macro_rules! equal_but_for_place {
    ($($kind:ident { $($field:ident),* })*) => {$(
        impl PartialEq for $kind<'_> {
            fn eq(&self, other: &Self) -> bool {
                let Self { $($field,)* at: _ } = self;
                $(*$field == other.$field)&&*
            }
        }
    )*};
}

equal_but_for_place! {
    Text { text, citations, seal, cache }
    Media { kind, source, detail, title, context, cites, cache }
    ToolCall { id, name, arguments, seal, cache }
    ToolResult { call_id, parts, is_error, cache }
    Reasoning { text, is_summary, seal, id }
    Native { owner, name, value }
}

impl PartialEq for CacheMark {
    fn eq(&self, other: &Self) -> bool {
        self.ttl == other.ttl
    }
}

impl<'a> Text<'a> {
    /// Text with nothing beside it.
    pub(crate) const fn plain(text: Cow<'a, str>, at: Spot) -> Self {
        Self { text, citations: Vec::new(), seal: None, cache: None, at }
    }
}

impl Seal<'_> {
    pub(crate) fn into_owned(self) -> Seal<'static> {
        let Self { maker, kind, data } = self;
        Seal { maker, kind, data: keep(data) }
    }
}

impl Native<'_> {
    /// How long its texts are together, bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        self.name.len() + self.value.text().len()
    }

    pub(crate) fn into_owned(self) -> Native<'static> {
        let Self { owner, name, value, at } = self;
        Native { owner, name: keep(name), value: value.into_owned(), at }
    }
}

impl Citation<'_> {
    pub(crate) fn into_owned(self) -> Citation<'static> {
        let Self { url, title, cited_text, span, native } = self;
        Citation {
            url: url.map(keep),
            title: title.map(keep),
            cited_text: cited_text.map(keep),
            span,
            native: native.map(Native::into_owned),
        }
    }
}

fn keep(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}
