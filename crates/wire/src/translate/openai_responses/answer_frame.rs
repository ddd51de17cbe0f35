//! The object `response`, which is a whole answer and, in a stream, tells how far one has come.

use super::words::{End, put_usage};
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::Usage;

/// What is told of an answer besides its items.
pub(super) struct Frame<'f> {
    pub(super) id: &'f str,
    pub(super) model: &'f str,
    pub(super) created: u64,
    pub(super) state: State<'f>,
    pub(super) usage: Option<Usage>,
}

/// How far it is.
pub(super) enum State<'f> {
    Running,
    Ended(End),
    Failed { code: &'f str, message: &'f str },
}

impl Frame<'_> {
    /// Writes the object, open behind its last field: the caller may add some and closes it.
    pub(super) fn put(
        &self,
        json: &mut Json,
        losses: &mut Losses,
        output: impl FnOnce(&mut Json, &mut Losses),
    ) {
        let Self { id, model, created, state, usage } = self;
        let status = match state {
            State::Running => "in_progress",
            State::Ended(end) => end.status(),
            State::Failed { .. } => "failed",
        };
        json.open('{').key("id").string(id).key("object").string("response");
        json.key("created_at").count(*created).key("status").string(status).key("error");
        match state {
            State::Failed { code, message } => {
                json.open('{').key("code").string(code).key("message").string(message).close('}');
            }
            State::Running | State::Ended(_) => {
                json.null();
            }
        }
        json.key("incomplete_details");
        match state {
            State::Ended(End::Incomplete(Some(reason))) => {
                json.open('{').key("reason").string(reason).close('}');
            }
            _ => {
                json.null();
            }
        }
        json.key("model").string(model).key("output").open('[');
        output(json, losses);
        json.close(']').key("usage");
        put_usage(json, *usage, losses);
        put_unrepeated(json);
    }
}

/// What an answer must repeat of its request: that isn't known here, and nothing is said with it.
fn put_unrepeated(json: &mut Json) {
    for name in ["instructions", "temperature", "top_p"] {
        json.key(name).null();
    }
    json.key("metadata").open('{').close('}');
    json.key("parallel_tool_calls").bool(true).key("tool_choice").string("auto");
    json.key("tools").open('[').close(']');
}
