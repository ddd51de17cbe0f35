//! How providers speak: request, response and stream types and pure translation between them; bytes in, bytes out.
//!
//! A request body is read once by [`json_head`] (or [`multipart`]), which checks all of it, and changed
//! only where it must be by [`mod@splice`], or, where its path names the model, by [`gemini_body`]. An answer is weighed by [`usage`]; a stream passes through a
//! [`relay`], which sends the bytes on as they came and learns from them on the way, event by event
//! ([`sse`]; Amazon's are binary, [`event_stream`]; Gemini's may be asked for as [`json_array`]). [`error_body`] and [`mod@failure_event`] are how Top
//! Dog itself fails in the caller's dialect; what providers say when they fail ([`error_shape`]) is kept
//! free of keys by [`redact`]. [`models`] lists models, [`echo`] is the built-in test provider, and [`texts`] says where
//! in any of these documents people's and models' words stand.
//!
//! There both sides speak the same dialect, OpenAI's or Anthropic's, which the operation tells. Between
//! two dialects it is [`translate`]. Nothing in this crate waits, reads a clock or logs.

pub mod bad_body;
pub mod echo;
pub mod error_body;
pub mod error_shape;
pub mod event_stream;
pub mod failure_event;
pub mod gemini_body;
mod json;
pub mod json_array;
pub mod json_head;
pub mod models;
pub mod multipart;
pub mod redact;
pub mod relay;
pub mod sameness;
pub mod splice;
pub mod sse;
mod stream_facts;
pub mod texts;
pub mod translate;
mod unfinished;
pub mod usage;

pub use bad_body::BadBody;
pub use error_body::{LimitDetails, PublicError, error_body};
pub use failure_event::failure_event;
pub use json_head::{Marks, RequestHead, read_head};
pub use relay::StreamRelay;
pub use splice::splice;
pub use usage::{estimate_input, usage_of_answer};
