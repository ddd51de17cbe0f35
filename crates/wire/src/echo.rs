//! The built-in test provider: it answers with the last thing that the user said, and says in every
//! answer that it is a test (`topdog-test-echo` in id, model and system fingerprint).

mod answer;
mod messages;
mod question;
mod stream;

pub use answer::{can_echo, echo_answer};
pub use stream::echo_stream_events;

/// What the test provider calls itself wherever a model's or an answer's name is expected.
pub const ECHO_NAME: &str = "topdog-test-echo";
