//! Ids for calls whose provider gives them none (Gemini, Ollama): clients name a call's result by its id.

use super::model::{Answer, AssistantPart, Event, PartStart};

/// Makes ids, unique among all requests and short enough for every provider that may get them back.
#[derive(Debug)]
pub(crate) struct CallIds {
    request: String,
    made: u32,
}

impl CallIds {
    /// Ids of the request that is called so.
    pub(crate) fn of(request_id: &str) -> Self {
        const LONGEST: usize = 16;
        let letters = request_id.chars().filter(char::is_ascii_alphanumeric);
        // Of a request's id the end is what differs most.
        let skipped = letters.clone().count().saturating_sub(LONGEST);
        Self { request: letters.skip(skipped).collect(), made: 0 }
    }

    /// Gives each call of an answer that has no id one.
    pub(crate) fn give(&mut self, answer: &mut Answer<'_>) {
        let parts = answer.choices.iter_mut().flat_map(|choice| &mut choice.parts);
        for part in parts {
            if let AssistantPart::ToolCall(call) = part
                && call.id.is_empty()
            {
                call.id = self.next().into();
            }
        }
    }

    /// The same of a call that begins.
    pub(crate) fn give_in_stream<'a>(&mut self, event: Event<'a>) -> Event<'a> {
        match event {
            Event::PartStarted { choice, index, part: PartStart::ToolCall { id, name, is_custom, seal } }
                if id.is_empty() =>
            {
                let id = self.next().into();
                Event::PartStarted { choice, index, part: PartStart::ToolCall { id, name, is_custom, seal } }
            }
            other => other,
        }
    }

    fn next(&mut self) -> String {
        self.made += 1;
        format!("call_{}_{}", self.request, self.made)
    }
}
