//! Calls and their results, paired where neither names an id.

use crate::translate::model::AssistantPart;
use std::borrow::Cow;

/// The calls of a conversation that wait for their results.
#[derive(Debug, Default)]
pub(super) struct Calls<'a> {
    waiting: Vec<Waiting<'a>>,
    made: usize,
}

#[derive(Debug)]
struct Waiting<'a> {
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    has_made_id: bool,
}

impl<'a> Calls<'a> {
    /// Takes up the calls of a model's turn, and gives an id to those that have none.
    pub(super) fn take_up(&mut self, parts: &mut [AssistantPart<'a>]) {
        for part in parts {
            let AssistantPart::ToolCall(call) = part else { continue };
            let has_made_id = call.id.is_empty();
            if has_made_id {
                call.id = self.made_id();
            }
            self.waiting.push(Waiting { id: call.id.clone(), name: call.name.clone(), has_made_id });
        }
    }

    /// The id of the call that a result answers: the one it names, else the first that waits for a result
    /// of this name, those first that have no id to be named by.
    pub(super) fn answered(&mut self, id: Option<Cow<'a, str>>, name: &str) -> Cow<'a, str> {
        let find = |is: &dyn Fn(&Waiting<'_>) -> bool| self.waiting.iter().position(is);
        let position = match &id {
            Some(id) => find(&|call| call.id == *id),
            None => find(&|call| call.name == name && call.has_made_id)
                .or_else(|| find(&|call| call.name == name)),
        };
        match (position, id) {
            (Some(position), _) => self.waiting.remove(position).id,
            (None, Some(id)) => id,
            (None, None) => self.made_id(),
        }
    }

    fn made_id(&mut self) -> Cow<'a, str> {
        self.made += 1;
        Cow::Owned(format!("topdog_call_{}", self.made))
    }
}
