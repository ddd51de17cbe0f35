//! A request, read.

use super::read_item::read_input;
use super::read_parts::native;
use super::settings::{read_include, read_reasoning, read_text};
use super::tools::{read_choice, read_tool};
use crate::translate::json::{Fields, Node};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Authority, Delivery, Field, Maker, Native, Request, Sampling, Text, Turn};
use crate::translate::openai::settings;

/// Fields that chat has too, of the same meaning, and no other dialect.
const KNOWN_TO_CHAT: [&str; 2] = ["moderation", "prompt_cache_options"];

/// Fields that say nothing where they say this.
const DEFAULTS: [(&str, &str); 2] = [("truncation", "\"disabled\""), ("background", "false")];

/// Where one of these is given, what is asked may be with the provider.
const KEPT: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
    let is_kept = KEPT.iter().any(|name| body.member(name).is_some());
    let mut fields = Fields::of(body)?;
    let mut turns = Vec::new();
    if let Some(Field { value: text, at }) =
        fields.text("instructions")?.filter(|text| !text.value.is_empty())
    {
        let parts = vec![Text::plain(text, at)];
        let at = Field { value: (), at };
        turns.push(Turn::Instructions { authority: Authority::System, parts, name: None, at });
    }
    match fields.take("input") {
        Some(input) => read_input(input, &mut turns, losses)?,
        None if is_kept => {}
        None => return Err(Malformed::missing(fields.at, "input")),
    }
    let mut tools = Vec::new();
    for tool in fields.list("tools")? {
        tools.push(read_tool(tool, losses)?);
    }
    let tool_choice = fields.take("tool_choice").map(|choice| read_choice(choice, losses)).transpose()?;
    let (format, verbosity) = read_text(&mut fields, losses)?;
    let (logprobs, included) = read_include(&mut fields)?;
    Ok(Request {
        model: fields.text("model")?.map(|model| model.value).unwrap_or_default(),
        turns,
        tools,
        tool_choice,
        parallel_tool_calls: fields.truth("parallel_tool_calls")?,
        format,
        max_tokens: fields.count("max_output_tokens")?,
        verbosity,
        modalities: None,
        thinking: read_reasoning(&mut fields, losses)?,
        sampling: Sampling {
            temperature: fields.number("temperature")?,
            top_p: fields.number("top_p")?,
            logprobs,
            top_logprobs: fields.count("top_logprobs")?,
            ..Sampling::default()
        },
        delivery: read_delivery(&mut fields, losses)?,
        natives: natives(fields, included),
    })
}

fn read_delivery<'a>(fields: &mut Fields<'a>, losses: &mut Losses) -> Result<Delivery<'a>, Malformed> {
    let delivery = settings::delivery(fields, losses)?;
    // Not to be kept is what goes without saying everywhere else; usage is always told here.
    let store = delivery.store.filter(|store| store.value);
    Ok(Delivery { wants_usage: true, store, ..delivery })
}

fn natives<'a>(fields: Fields<'a>, included: Vec<Native<'a>>) -> Vec<Native<'a>> {
    let mut natives = included;
    for (name, node) in fields.into_rest() {
        if DEFAULTS.contains(&(name.as_ref(), node.raw)) {
            continue;
        }
        let owner = if is_known_to_chat(&name) { Maker::OpenAi } else { Maker::OpenAiResponses };
        natives.push(Native { owner, name, ..native(&node) });
    }
    natives.sort_by_key(|native| native.at);
    natives
}

/// Is it a field that chat has too?
pub(super) fn is_known_to_chat(name: &str) -> bool {
    KNOWN_TO_CHAT.contains(&name)
}
