//! Reading and writing by themselves, for the proof that a dialect loses nothing (`tests/translate`).

use super::codec::{AnswerContext, Target};
use super::losses::Losses;
use super::model::{Answer, Event, Request};
use super::{Dialect, json};

/// The request as the dialect writes it, and whether all of it could be said.
#[must_use]
pub fn write_request(dialect: Dialect, request: Request<'_>, target: &Target<'_>) -> (Vec<u8>, bool) {
    let mut losses = Losses::default();
    let body = dialect.codec().write_request(request, target, &mut losses);
    (body, losses.is_empty())
}

/// The request that a body holds, and whether all of it was understood; none where it is none.
#[must_use]
pub fn read_request(dialect: Dialect, body: &str) -> Option<(Request<'_>, bool)> {
    let mut losses = Losses::default();
    let request = dialect.codec().read_request(json::parse(body).ok()?, &mut losses).ok()?;
    Some((request, losses.is_empty()))
}

/// The answer as the dialect writes it, and whether all of it could be said.
#[must_use]
pub fn write_answer(dialect: Dialect, answer: Answer<'_>, context: &AnswerContext<'_>) -> (Vec<u8>, bool) {
    let mut losses = Losses::default();
    let body = dialect.codec().write_answer(answer, context, &mut losses);
    (body, losses.is_empty())
}

/// The answer that a body holds, and whether all of it was understood; none where it is none.
#[must_use]
pub fn read_answer(dialect: Dialect, body: &str) -> Option<(Answer<'_>, bool)> {
    let mut losses = Losses::default();
    let answer = dialect.codec().read_answer(json::parse(body).ok()?, &mut losses).ok()?;
    Some((answer, losses.is_empty()))
}

/// The events that a stream holds.
#[must_use]
pub fn read_stream(dialect: Dialect, stream: &[u8]) -> Vec<Event<'static>> {
    let mut reader = dialect.codec().stream_reader();
    let mut events = Vec::new();
    let mut sink = |event: Event<'_>| events.push(event.into_owned());
    reader.push(stream, &mut sink);
    reader.finish(&mut sink);
    events
}
