//! Calls and their results, paired where neither names an id.

use crate::translate::model::AssistantPart;
use std::borrow::Cow;

/// The calls of a conversation that wait for their results.
#[derive(Debug, Default)]
pub(super) struct Calls<'a> {
    waiting: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    made: usize,
}

impl<'a> Calls<'a> {
    /// Takes up the calls of a model's turn, and gives an id to those that have none.
    pub(super) fn take_up(&mut self, parts: &mut [AssistantPart<'a>]) {
        for part in parts {
            let AssistantPart::ToolCall(call) = part else { continue };
            if call.id.is_empty() {
                call.id = self.made_id();
            }
            self.waiting.push((call.id.clone(), call.name.clone()));
        }
    }

    /// The id of the call that a result answers: the one it names, else the first that waits for a result
    /// of this name.
    pub(super) fn answered(&mut self, id: Option<Cow<'a, str>>, name: &str) -> Cow<'a, str> {
        let position = self.waiting.iter().position(|(waiting, called)| match &id {
            Some(id) => waiting == id,
            None => called == name,
        });
        match (position, id) {
            (Some(position), _) => self.waiting.remove(position).0,
            (None, Some(id)) => id,
            (None, None) => self.made_id(),
        }
    }

    fn made_id(&mut self) -> Cow<'a, str> {
        self.made += 1;
        Cow::Owned(format!("topdog_call_{}", self.made))
    }
}
