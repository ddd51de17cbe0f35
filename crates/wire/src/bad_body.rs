//! What is wrong with a request body, in the words of OpenAI's errors.

use crate::json::Fault;
use std::borrow::Cow;

/// Why a JSON request body is refused, always with status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// It isn't JSON (RFC 8259), or not UTF-8; the grammar breaks at this byte.
    #[error("the body is not valid JSON at byte {offset}")]
    NotJson {
        /// Bytes from the body's beginning.
        offset: usize,
    },
    /// It is JSON, and not an object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A name occurs twice, so two readers could understand two things.
    #[error("the body has a duplicate key")]
    DuplicateKey {
        /// The name, escapes resolved, shortened where it is long.
        key: String,
    },
    /// A field that Top Dog must understand is of another type.
    #[error("`{field}` is not {expected}")]
    WrongType {
        /// The field, dotted where it lies deeper.
        field: &'static str,
        /// What it must be, with its article.
        expected: &'static str,
        /// What it is, with its article.
        got: &'static str,
    },
    /// Values nest more than 128 deep.
    #[error("the body nests too deep")]
    TooDeep,
}

impl BadBody {
    /// What the caller is told.
    #[must_use]
    pub fn public_message(&self) -> String {
        match self {
            Self::NotJson { offset } => format!(
                "We could not parse the JSON body of your request: it is not valid JSON at byte {offset}."
            ),
            Self::NotAnObject => {
                "We could not parse the JSON body of your request: it must be a JSON object.".to_owned()
            }
            Self::DuplicateKey { key } => {
                format!("Duplicate parameter: '{key}' is given more than once. Send it once.")
            }
            Self::WrongType { field, expected, got } => {
                format!("Invalid type for '{field}': expected {expected}, but got {got} instead.")
            }
            Self::TooDeep => {
                "The JSON body of your request nests deeper than 128 levels. Send a flatter one.".to_owned()
            }
        }
    }

    /// The parameter at fault, if it is one.
    #[must_use]
    pub fn param(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::DuplicateKey { key } => Some(Cow::Owned(key.clone())),
            Self::WrongType { field, .. } => Some(Cow::Borrowed(field)),
            Self::NotJson { .. } | Self::NotAnObject | Self::TooDeep => None,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } | Self::NotAnObject => "invalid_json",
            Self::DuplicateKey { .. } => "duplicate_parameter",
            Self::WrongType { .. } => "invalid_type",
            Self::TooDeep => "json_too_deep",
        }
    }
}

impl From<Fault> for BadBody {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Syntax(offset) => Self::NotJson { offset },
            Fault::TooDeep => Self::TooDeep,
        }
    }
}
