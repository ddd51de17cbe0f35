//! Tools: what a model may call, and with what it does.

use super::{CacheMark, Field, Native, Raw, Spot};
use std::borrow::Cow;

/// Something that a model may call.
#[derive(Debug, Clone, PartialEq)]
pub enum Tool<'a> {
    /// A function of the caller's, with a JSON schema.
    Function(FunctionTool<'a>),
    /// A tool of the caller's that takes free text.
    Custom(CustomTool<'a>),
    /// A tool that the provider runs itself, which only it knows.
    Native(Native<'a>),
}

/// A function of the caller's.
#[derive(Debug, Clone)]
pub struct FunctionTool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it is for.
    pub description: Option<Cow<'a, str>>,
    /// The JSON schema of its arguments, as it stands; none: it takes none.
    pub schema: Option<Raw<'a>>,
    /// Must the model keep to the schema exactly?
    pub strict: Option<Field<bool>>,
    /// The prompt up to here is to be cached.
    pub cache: Option<CacheMark>,
    /// Where it stood.
    pub at: Spot,
}

/// A tool of the caller's that takes free text.
#[derive(Debug, Clone)]
pub struct CustomTool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it is for.
    pub description: Option<Cow<'a, str>>,
    /// The grammar of its input, in OpenAI's words.
    pub format: Option<Raw<'a>>,
    /// Where it stood.
    pub at: Spot,
}

impl PartialEq for FunctionTool<'_> {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, description, schema, strict, cache, at: _ } = self;
        (name, description, schema, strict, cache)
            == (&other.name, &other.description, &other.schema, &other.strict, &other.cache)
    }
}

impl PartialEq for CustomTool<'_> {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, description, format, at: _ } = self;
        (name, description, format) == (&other.name, &other.description, &other.format)
    }
}

/// What a tool is called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arguments<'a> {
    /// A JSON object.
    Object(Raw<'a>),
    /// What was meant to be a JSON object and is not: models write such, and it must be replayed to them.
    Broken(Cow<'a, str>),
    /// The input of a custom tool.
    Free(Cow<'a, str>),
}

impl<'a> Arguments<'a> {
    /// What the whole argument text of a function's call is. An empty one is an object without members:
    /// models say so of functions that take nothing.
    #[must_use]
    pub fn of_text(text: Cow<'a, str>) -> Self {
        if text.trim_ascii().is_empty() {
            return Self::Object(Raw::borrowed("{}"));
        }
        match Raw::object(text) {
            Ok(object) => Self::Object(object),
            Err(text) => Self::Broken(text),
        }
    }
}

/// Which tools may or must be called.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolChoice<'a> {
    /// As the model likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This function.
    Function(Cow<'a, str>),
    /// This custom tool.
    Custom(Cow<'a, str>),
    /// Only these functions of those offered.
    Allowed {
        /// Must one of them be called?
        is_required: bool,
        /// Their names.
        names: Vec<Cow<'a, str>>,
    },
    /// A choice that only its owner knows.
    Native(Native<'a>),
}
