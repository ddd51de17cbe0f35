//! A conversation for those dialects in which user and assistant alternate: what one side says in a row is
//! one message, and the results of tools are the first in it.

use super::losses::Losses;
use super::model::{AssistantPart, Content, Field, Reasoning, Seal, Text, ToolCall, ToolResult, Turn};
use std::borrow::Cow;

/// A conversation.
pub(crate) struct Dialogue<'a> {
    /// The instructions that stand before it.
    pub(crate) system: Vec<Text<'a>>,
    /// What is said.
    pub(crate) messages: Vec<Message<'a>>,
}

/// What one side says.
pub(crate) enum Message<'a> {
    /// Instructions in between.
    System(Vec<Text<'a>>),
    /// The user's side.
    User { results: Vec<ToolResult<'a>>, parts: Vec<Content<'a>> },
    /// The model's side.
    Assistant(Vec<AssistantPart<'a>>),
}

/// What of an assistant's words can be sent back to its maker.
#[derive(Clone, Copy)]
pub(crate) struct Returns {
    /// Which reasoning.
    pub(crate) reasoning: fn(&Reasoning<'_>) -> bool,
    /// Which seals on texts and calls.
    pub(crate) seal: fn(&Seal<'_>) -> bool,
}

/// Puts turns together, of a dialect that has no seals on texts and calls. Blank texts are left out, names,
/// and what can't be sent back: reasoning is where it `returns`.
pub(crate) fn alternate<'a>(
    turns: Vec<Turn<'a>>,
    takes_instructions_anywhere: bool,
    returns: fn(&Reasoning<'_>) -> bool,
    losses: &mut Losses,
) -> Dialogue<'a> {
    let returns = Returns { reasoning: returns, seal: |_| false };
    alternate_sealed(turns, takes_instructions_anywhere, returns, losses)
}

/// The same, of a dialect that has.
pub(crate) fn alternate_sealed<'a>(
    turns: Vec<Turn<'a>>,
    takes_instructions_anywhere: bool,
    returns: Returns,
    losses: &mut Losses,
) -> Dialogue<'a> {
    let mut system = Vec::new();
    let mut messages: Vec<Message<'a>> = Vec::new();
    let mut turns = turns.into_iter().peekable();
    while let Some(turn) = turns.next() {
        match turn {
            Turn::Instructions { authority: _, parts, name, at } => {
                note_name(name, losses);
                let is_before_assistant = matches!(turns.peek(), None | Some(Turn::Assistant { .. }));
                let is_behind_user = matches!(messages.last(), Some(Message::User { .. }));
                let fits = takes_instructions_anywhere && is_before_assistant && is_behind_user;
                let parts = parts.into_iter().filter(|text| says_anything(text, losses));
                if fits {
                    messages.push(Message::System(parts.collect()));
                } else {
                    system.extend(parts);
                    if !messages.is_empty() {
                        losses.note(at.at, "instructions after the first turn are moved to the beginning");
                    }
                }
            }
            Turn::User { parts: mut more, name, at: _ } => {
                note_name(name, losses);
                more.retain(|part| !matches!(part, Content::Text(text) if !says_anything(text, losses)));
                if more.is_empty() {
                    // A message that says nothing is refused, and what is around it goes on.
                } else if let Some(Message::User { parts, .. }) = messages.last_mut() {
                    parts.extend(more);
                } else {
                    messages.push(Message::User { results: Vec::new(), parts: more });
                }
            }
            Turn::Tools(more) => {
                if let Some(Message::User { results, .. }) = messages.last_mut() {
                    results.extend(more);
                } else {
                    messages.push(Message::User { results: more, parts: Vec::new() });
                }
            }
            Turn::Assistant { parts: more, name, at: _ } => {
                note_name(name, losses);
                let more: Vec<_> =
                    more.into_iter().filter_map(|part| replayed(part, returns, losses)).collect();
                if more.is_empty() {
                    // As with the user's.
                } else if let Some(Message::Assistant(parts)) = messages.last_mut() {
                    parts.extend(more);
                } else {
                    messages.push(Message::Assistant(more));
                }
            }
        }
    }
    Dialogue { system, messages }
}

/// Is there anything in a text? Blank ones are refused; an empty one says nothing anyway.
pub(crate) fn says_anything(text: &Text<'_>, losses: &mut Losses) -> bool {
    let is_blank = text.text.trim().is_empty();
    if is_blank && !text.text.is_empty() {
        losses.note(text.at, "texts of white space alone are not taken");
    }
    !is_blank
}

fn note_name(name: Option<Field<Cow<'_, str>>>, losses: &mut Losses) {
    if let Some(name) = name {
        losses.note(name.at, "participants have no names");
    }
}

/// What of an assistant's words can be sent back: texts that say anything, and reasoning only where its
/// maker's seal shows that it is its own, since it takes no other.
fn replayed<'a>(part: AssistantPart<'a>, returns: Returns, losses: &mut Losses) -> Option<AssistantPart<'a>> {
    let mut part = part;
    if let AssistantPart::Text(text) | AssistantPart::Refusal(text) = &part
        && !says_anything(text, losses)
    {
        return None;
    }
    match &mut part {
        AssistantPart::Reasoning(reasoning) => {
            if !(returns.reasoning)(reasoning) {
                losses.note(reasoning.at, "reasoning can be sent back to its own maker only");
                return None;
            }
        }
        AssistantPart::Text(Text { seal, at, .. }) | AssistantPart::ToolCall(ToolCall { seal, at, .. }) => {
            if seal.take_if(|seal| !(returns.seal)(seal)).is_some() {
                losses.note(*at, "a seal can be sent back to its own maker only");
            }
        }
        AssistantPart::Refusal(_) | AssistantPart::Media(_) | AssistantPart::Native(_) => {}
    }
    Some(part)
}
