//! What Top Dog must know of a JSON request body, read in one pass that also checks all of it.

use crate::bad_body::BadBody;
use crate::json::{Cursor, Kind, Member, Value};
use std::borrow::Cow;
use std::collections::HashSet;

/// The few top-level fields that decide how a request is treated. All else stays unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// `model`, escapes resolved; none where it is missing or null.
    pub model: Option<Cow<'a, str>>,
    /// Is `stream` true?
    pub is_stream: bool,
    /// Is `stream_options.include_usage` true?
    pub asks_usage: bool,
    /// The larger of `max_tokens`, `max_completion_tokens` and `max_output_tokens`, in tokens.
    pub max_output_tokens: Option<u64>,
    /// How many answers will be made: the larger of `n` and `best_of`.
    pub n: Option<u64>,
    marks: Marks,
}

impl RequestHead<'_> {
    /// Where the body can be changed, without borrowing it.
    #[must_use]
    pub const fn marks(&self) -> Marks {
        self.marks
    }
}

/// The places in one body that [`splice`](crate::splice::splice) may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Just behind the opening brace.
    pub(crate) inside: usize,
    pub(crate) is_empty: bool,
    pub(crate) is_stream: bool,
    pub(crate) model: Option<Span>,
    pub(crate) stream_options: StreamOptions,
}

/// A range of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// How `stream_options` stands in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamOptions {
    Missing,
    Null(Span),
    /// An object without `include_usage`: just behind its brace.
    Silent {
        inside: usize,
        is_empty: bool,
    },
    /// `include_usage` is false or null: its value.
    Declined(Span),
    Asked,
}

/// Reads the head of a request body, having checked the whole of it.
///
/// # Errors
/// Where it isn't strict JSON in UTF-8 (RFC 8259) nested at most 128 deep, isn't an object, names a
/// top-level field twice (however the name is escaped), or has a field read here of a wrong type.
pub fn read_head(body: &[u8]) -> Result<RequestHead<'_>, BadBody> {
    let text = std::str::from_utf8(body).map_err(|error| BadBody::NotJson { offset: error.valid_up_to() })?;
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    if cursor.peek() != Some(b'{') {
        cursor.value(0)?;
        cursor.end()?;
        return Err(BadBody::NotAnObject);
    }
    let mut head = RequestHead {
        model: None,
        is_stream: false,
        asks_usage: false,
        max_output_tokens: None,
        n: None,
        marks: Marks {
            inside: cursor.offset() + 1,
            is_empty: true,
            is_stream: false,
            model: None,
            stream_options: StreamOptions::Missing,
        },
    };
    let mut names = Names::default();
    cursor.members(|member| head.take(member, &mut names))?;
    cursor.end()?;
    head.marks.is_stream = head.is_stream;
    Ok(head)
}

impl<'a> RequestHead<'a> {
    fn take(&mut self, member: Member<'a>, names: &mut Names<'a>) -> Result<(), BadBody> {
        let value = member.value;
        self.marks.is_empty = false;
        let key = resolve(member.key).ok_or(BadBody::NotJson { offset: value.start })?;
        match key.as_ref() {
            "model" => {
                self.model = text_of("model", &value)?;
                self.marks.model = Some(Span::of(&value, 0));
            }
            "stream" => self.is_stream = truth_of("stream", &value)?,
            "stream_options" => self.marks.stream_options = self.options_of(&value)?,
            "max_tokens" => raise(&mut self.max_output_tokens, count_of("max_tokens", &value)?),
            "max_completion_tokens" => {
                raise(&mut self.max_output_tokens, count_of("max_completion_tokens", &value)?);
            }
            "max_output_tokens" => raise(&mut self.max_output_tokens, count_of("max_output_tokens", &value)?),
            "n" => raise(&mut self.n, count_of("n", &value)?),
            "best_of" => raise(&mut self.n, count_of("best_of", &value)?),
            _ => {}
        }
        names.add(key)
    }

    fn options_of(&mut self, options: &Value<'a>) -> Result<StreamOptions, BadBody> {
        const FIELD: &str = "stream_options.include_usage";
        match options.kind {
            Kind::Null => return Ok(StreamOptions::Null(Span::of(options, 0))),
            Kind::Object => {}
            _ => return Err(wrong_type("stream_options", "an object", options)),
        }
        let mut standing = StreamOptions::Silent { inside: options.start + 1, is_empty: true };
        let mut names = Names::default();
        options.each_member(|member| {
            let key = resolve(member.key).ok_or(BadBody::NotJson { offset: options.start })?;
            if key == "include_usage" {
                self.asks_usage = truth_of(FIELD, &member.value)?;
                standing = if self.asks_usage {
                    StreamOptions::Asked
                } else {
                    StreamOptions::Declined(Span::of(&member.value, options.start))
                };
            } else if let StreamOptions::Silent { is_empty, .. } = &mut standing {
                *is_empty = false;
            }
            names.add(key)
        })?;
        Ok(standing)
    }
}

impl Span {
    fn of(value: &Value<'_>, base: usize) -> Self {
        Self { start: base + value.start, end: base + value.end() }
    }
}

fn text_of<'a>(field: &'static str, value: &Value<'a>) -> Result<Option<Cow<'a, str>>, BadBody> {
    match value.kind {
        Kind::Null => Ok(None),
        _ => match value.string_body() {
            Some(body) => resolve(body).map(Some).ok_or(BadBody::NotJson { offset: value.start }),
            None => Err(wrong_type(field, "a string", value)),
        },
    }
}

fn truth_of(field: &'static str, value: &Value<'_>) -> Result<bool, BadBody> {
    match value.kind {
        Kind::True => Ok(true),
        Kind::False | Kind::Null => Ok(false),
        _ => Err(wrong_type(field, "a boolean", value)),
    }
}

fn count_of(field: &'static str, value: &Value<'_>) -> Result<Option<u64>, BadBody> {
    match value.kind {
        Kind::Null => Ok(None),
        Kind::Number => Ok(whole_number(value.raw)),
        _ => Err(wrong_type(field, "a number", value)),
    }
}

/// The number, where it counts something, however it is written. Whether the provider takes another, such as the -1
/// that means no limit to some, is for the provider to say.
fn whole_number(raw: &str) -> Option<u64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    raw.parse().ok().or_else(|| {
        let number: f64 = raw.parse().ok()?;
        let is_count = (0.0..=MOST).contains(&number) && number.fract() == 0.0;
        // Without an exponent and a fraction it is the same digits.
        if is_count { format!("{number:.0}").parse().ok() } else { None }
    })
}

fn wrong_type(field: &'static str, expected: &'static str, value: &Value<'_>) -> BadBody {
    BadBody::WrongType { field, expected, got: value.kind.name() }
}

fn raise(slot: &mut Option<u64>, count: Option<u64>) {
    *slot = (*slot).max(count);
}

/// A string's text with its escapes resolved; none where they name half a surrogate pair.
pub(crate) fn resolve(body: &str) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', body.as_bytes()).is_none() {
        return Some(Cow::Borrowed(body));
    }
    serde_json::from_str(&format!("\"{body}\"")).ok().map(Cow::Owned)
}

/// The names seen in one object. Few are compared one by one, many are hashed, so that a body made
/// of a million names costs no more than its length.
#[derive(Default)]
struct Names<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    const FEW: usize = 24;

    fn add(&mut self, name: Cow<'a, str>) -> Result<(), BadBody> {
        let is_known = self.few.contains(&name) || (!self.many.is_empty() && self.many.contains(&name));
        if is_known {
            return Err(BadBody::DuplicateKey { key: name.chars().take(64).collect() });
        }
        if self.few.len() < Self::FEW {
            if self.few.is_empty() {
                self.few.reserve(Self::FEW);
            }
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
        Ok(())
    }
}
