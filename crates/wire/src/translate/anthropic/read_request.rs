//! A request, read.

use super::read_parts::{self, Blocks, assistant, blocks, cache, content, kind, native, tool_result};
use super::words;
use crate::translate::json::{Fields, Node};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    AssistantPart, Authority, Content, Delivery, Field, FunctionTool, Maker, Native, OutputFormat, Raw,
    Request, Sampling, SchemaFormat, Thinking, ThinkingMode, Tool, ToolChoice, Turn,
};
use std::borrow::Cow;

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    let model = fields.text("model")?.map(|model| model.value).unwrap_or_default();
    let mut turns = Vec::new();
    if let Some(system) = fields.take("system") {
        let at = Field { value: (), at: system.at };
        let parts = read_parts::texts(system, losses)?;
        if !parts.is_empty() {
            turns.push(Turn::Instructions { authority: Authority::System, parts, name: None, at });
        }
    }
    fields.needed("messages").and_then(|messages| read_turns(messages, &mut turns, losses))?;
    let mut tools = Vec::new();
    for tool in fields.list("tools")? {
        tools.push(read_tool(tool, losses)?);
    }
    let (tool_choice, parallel_tool_calls) = read_choice(&mut fields, losses)?;
    let (format, thinking) = read_output(&mut fields, losses)?;
    let mut stop = Vec::new();
    for text in fields.list("stop_sequences")? {
        let value = text.text().ok_or(Malformed::new(text.at, "a string"))?;
        stop.push(Field { value, at: text.at });
    }
    let user = match fields.object("metadata")? {
        Some(mut metadata) => {
            let user = metadata.text("user_id")?;
            metadata.finish(losses);
            user
        }
        None => None,
    };
    Ok(Request {
        model,
        turns,
        tools,
        tool_choice,
        parallel_tool_calls,
        format,
        max_tokens: fields.count("max_tokens")?,
        thinking,
        sampling: Sampling {
            temperature: fields.number("temperature")?,
            top_p: fields.number("top_p")?,
            top_k: fields.count("top_k")?,
            stop,
            ..Sampling::default()
        },
        delivery: Delivery {
            is_stream: fields.truth("stream")?.is_some_and(|stream| stream.value),
            wants_usage: true,
            service_tier: fields.text("service_tier")?.map(|tier| tier.map(words::service_tier)),
            user,
            ..Delivery::default()
        },
        natives: natives(fields),
        ..Request::default()
    })
}

fn natives(fields: Fields<'_>) -> Vec<Native<'_>> {
    let mut natives: Vec<_> = fields
        .into_rest()
        .map(|(name, node)| Native {
            owner: Maker::Anthropic,
            name,
            value: Raw::borrowed(node.raw),
            at: node.at,
        })
        .collect();
    natives.sort_by_key(|native| native.at);
    natives
}

fn read_turns<'a>(
    messages: Node<'a>,
    turns: &mut Vec<Turn<'a>>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    let Blocks::List(messages) = blocks(messages)? else { return Ok(()) };
    for message in messages {
        let mut fields = Fields::of(message)?;
        let at = Field { value: (), at: fields.at };
        let role = fields.needed_text("role")?;
        let body = fields.needed("content")?;
        match role.value.as_ref() {
            "user" => read_user(body, at, turns, losses)?,
            "assistant" => {
                let parts = match blocks(body)? {
                    Blocks::Text(text) => vec![AssistantPart::Text(text)],
                    Blocks::List(list) => assistant(list, losses)?,
                };
                turns.push(Turn::Assistant { parts, name: None, at });
            }
            "system" => {
                let parts = read_parts::texts(body, losses)?;
                turns.push(Turn::Instructions { authority: Authority::System, parts, name: None, at });
            }
            _ => return Err(Malformed::new(role.at, "`user`, `assistant` or `system`")),
        }
        fields.finish(losses);
    }
    Ok(())
}

/// A user's turn: the results of tools in a turn of their own, then what the user adds.
fn read_user<'a>(
    body: Node<'a>,
    at: Field<()>,
    turns: &mut Vec<Turn<'a>>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    let mut results = Vec::new();
    let mut parts = Vec::new();
    match blocks(body)? {
        Blocks::Text(text) => parts.push(Content::Text(text)),
        Blocks::List(list) => {
            for block in list {
                if kind(&block)? == "tool_result" {
                    results.push(tool_result(block, losses)?);
                } else {
                    parts.push(content(block, losses)?);
                }
            }
        }
    }
    let has_results = !results.is_empty();
    if has_results {
        turns.push(Turn::Tools(results));
    }
    if !parts.is_empty() || !has_results {
        turns.push(Turn::User { parts, name: None, at });
    }
    Ok(())
}

fn read_tool<'a>(tool: Node<'a>, losses: &mut Losses) -> Result<Tool<'a>, Malformed> {
    if tool.text_of("type").is_some_and(|kind| kind != "custom") {
        return Ok(Tool::Native(native(&tool)));
    }
    let mut fields = Fields::of(tool)?;
    let at = fields.at;
    fields.take("type");
    let tool = FunctionTool {
        name: fields.needed_text("name")?.value,
        description: fields.text("description")?.map(|text| text.value),
        schema: fields.raw("input_schema").map(|schema| schema.value),
        strict: fields.truth("strict")?,
        cache: cache(&mut fields, losses)?,
        at,
    };
    fields.finish(losses);
    Ok(Tool::Function(tool))
}

type Choice<'a> = (Option<Field<ToolChoice<'a>>>, Option<Field<bool>>);

fn read_choice<'a>(fields: &mut Fields<'a>, losses: &mut Losses) -> Result<Choice<'a>, Malformed> {
    let Some(node) = fields.take("tool_choice") else { return Ok((None, None)) };
    let whole = native(&node);
    let mut choice = Fields::of(node)?;
    let at = choice.at;
    let value = match choice.needed_text("type")?.value.as_ref() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Function(choice.needed_text("name")?.value),
        _ => return Ok((Some(Field { value: ToolChoice::Native(whole), at }), None)),
    };
    let is_single = choice.truth("disable_parallel_tool_use")?;
    choice.finish(losses);
    Ok((Some(Field { value, at }), is_single.map(|single| single.map(|single| !single))))
}

type Output<'a> = (Option<Field<OutputFormat<'a>>>, Thinking);

/// `thinking`, `output_config`, and `output_format`, as the latter's beta was called.
fn read_output<'a>(fields: &mut Fields<'a>, losses: &mut Losses) -> Result<Output<'a>, Malformed> {
    let mut thinking = read_thinking(fields, losses)?;
    let mut format = fields.object("output_format")?;
    if let Some(mut config) = fields.object("output_config")? {
        if let Some(told) = config.text("effort")? {
            match words::effort(&told.value) {
                Some(value) => thinking.effort = Some(Field { value, at: told.at }),
                None => losses.unknown(told.at),
            }
        }
        format = config.object("format")?.or(format);
        config.finish(losses);
    }
    let format = match format {
        Some(mut format) => {
            let at = format.at;
            format.take("type");
            let schema = format.raw("schema").map(|schema| schema.value);
            format.finish(losses);
            let schema = SchemaFormat { name: None::<Cow<'_, str>>, description: None, schema, strict: None };
            Some(Field { value: OutputFormat::Schema(schema), at })
        }
        None => None,
    };
    Ok((format, thinking))
}

/// `thinking`, taken out of the fields that it stands among.
pub(in crate::translate) fn read_thinking(
    fields: &mut Fields<'_>,
    losses: &mut Losses,
) -> Result<Thinking, Malformed> {
    let mut thinking = Thinking::default();
    if let Some(mut told) = fields.object("thinking")? {
        let kind = told.needed_text("type")?;
        let mode = match kind.value.as_ref() {
            "disabled" => Some(ThinkingMode::Off),
            "adaptive" => Some(ThinkingMode::Adaptive),
            "enabled" => told.count("budget_tokens")?.map(|budget| ThinkingMode::Budget(budget.value)),
            _ => None,
        };
        match mode {
            Some(value) => thinking.mode = Some(Field { value, at: told.at }),
            None => losses.unknown(kind.at),
        }
        if let Some(display) = told.text("display")? {
            match display.value.as_ref() {
                "summarized" => thinking.is_shown = Some(Field { value: true, at: display.at }),
                "omitted" => thinking.is_shown = Some(Field { value: false, at: display.at }),
                _ => losses.unknown(display.at),
            }
        }
        told.finish(losses);
    }
    Ok(thinking)
}
