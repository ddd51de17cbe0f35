//! The internal model of a chat exchange: what all six dialects can say, each thing once.
//!
//! [`Request`] is what is asked, [`Answer`] what is answered, [`Event`] one step of an answer that is
//! streamed, [`Failure`] an error. All borrow from the body that they were read from.
//!
//! Three rules make it lossless. What belongs to one maker only (its own tools, files it keeps, sealed
//! reasoning, fields no other dialect has) is carried as it stands, with its owner, and written for that
//! owner only ([`Native`]). Whatever a caller sets knows where it stood ([`Spot`]), so that whoever can't
//! write it can name it. And no type here has a catch-all: a writer takes each apart completely (`let
//! Request { model, … } = request;`, never `..`), so that a new field can't be forgotten.

mod answer;
mod failure;
mod part;
mod place;
mod request;
mod stream;
mod tool;

pub use answer::{Answer, Choice, Stop, StopReason, Usage};
pub use failure::{Failure, FailureKind};
pub use part::{
    AssistantPart, CacheMark, CacheTtl, Citation, Content, Detail, Media, MediaKind, Native, Reasoning, Seal,
    SealKind, Source, Text, ToolCall, ToolResult,
};
pub use place::{Field, Maker, Raw, Spot};
pub use request::{
    Authority, Delivery, Effort, OutputFormat, Request, Sampling, SchemaFormat, ServiceTier, Thinking,
    ThinkingMode, Turn,
};
pub use stream::{Delta, Event, PartStart};
pub use tool::{Arguments, CustomTool, FunctionTool, Tool, ToolChoice};
