//! A request, read.

use super::read_parts::{Union, assistant, cache_point, content, native, text_of, tool_result, union};
use super::{marks, words};
use crate::translate::anthropic::{read_request::read_thinking, words::effort};
use crate::translate::json::{Fields, Json, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Authority, Content, Delivery, Effort, Field, FunctionTool, Maker, Native, OutputFormat, Raw, Request,
    Sampling, SchemaFormat, Text, Thinking, Tool, ToolChoice, ToolResult, Turn,
};
use std::borrow::Cow;

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    let mut turns = Vec::new();
    if let Some(system) = fields.take("system") {
        let at = Field { value: (), at: system.at };
        let parts = instructions(list(system)?, losses)?;
        if !parts.is_empty() {
            turns.push(Turn::Instructions { authority: Authority::System, parts, name: None, at });
        }
    }
    for message in fields.list("messages")? {
        read_turn(message, &mut turns, losses)?;
    }
    let (tools, tool_choice) = read_tools(&mut fields, losses)?;
    let (thinking, top_k, more) = read_more(&mut fields, losses)?;
    let (format, effort) = read_output(&mut fields, losses)?;
    let (max_tokens, sampling) = read_inference(&mut fields, losses)?;
    let service_tier = match fields.object("serviceTier")? {
        Some(mut tier) => {
            let kind = tier.text("type")?;
            tier.finish(losses);
            kind.map(|kind| kind.map(words::service_tier))
        }
        None => None,
    };
    let metadata = fields.raw("requestMetadata");
    Ok(Request {
        turns,
        tools,
        tool_choice,
        format,
        max_tokens,
        thinking: Thinking { effort: effort.or(thinking.effort), ..thinking },
        sampling: Sampling { top_k, ..sampling },
        delivery: Delivery { wants_usage: true, service_tier, metadata, ..Delivery::default() },
        natives: more.into_iter().chain(natives(fields)).collect(),
        ..Request::default()
    })
}

fn natives<'a>(fields: Fields<'a>) -> impl Iterator<Item = Native<'a>> {
    let mut natives: Vec<_> =
        fields.into_rest().map(|(name, node)| Native { name, ..native(&node) }).collect();
    natives.sort_by_key(|native| native.at);
    natives.into_iter()
}

fn list(node: Node<'_>) -> Result<Vec<Node<'_>>, Malformed> {
    match node.value {
        Value::List(elements) => Ok(elements),
        _ => Err(Malformed::new(node.at, "an array")),
    }
}

/// The texts of instructions, each with the cache point behind it.
fn instructions<'a>(blocks: Vec<Node<'a>>, losses: &mut Losses) -> Result<Vec<Text<'a>>, Malformed> {
    let mut texts: Vec<Text<'a>> = Vec::with_capacity(blocks.len());
    for block in blocks {
        let Union { name, value, whole: _ } = union(block)?;
        match name.as_ref() {
            "text" => texts.push(text_of(&value)?),
            "cachePoint" => {
                let mark = cache_point(value, losses)?;
                if !marks::has_marked(texts.last_mut().map(|text| &mut text.cache), mark) {
                    losses.note(mark.at, "there is nothing before it that could be cached");
                }
            }
            _ => losses.note(value.at, "instructions can be text only"),
        }
    }
    Ok(texts)
}

fn read_turn<'a>(message: Node<'a>, turns: &mut Vec<Turn<'a>>, losses: &mut Losses) -> Result<(), Malformed> {
    let mut fields = Fields::of(message)?;
    let at = Field { value: (), at: fields.at };
    let role = fields.needed_text("role")?;
    let blocks = list(fields.needed("content")?)?;
    match role.value.as_ref() {
        "user" => read_user(blocks, at, turns, losses)?,
        "assistant" => {
            turns.push(Turn::Assistant { parts: assistant(blocks, losses)?, name: None, at });
        }
        "system" => {
            let parts = instructions(blocks, losses)?;
            turns.push(Turn::Instructions { authority: Authority::System, parts, name: None, at });
        }
        _ => return Err(Malformed::new(role.at, "`user`, `assistant` or `system`")),
    }
    fields.finish(losses);
    Ok(())
}

/// A user's turn: the results of tools in a turn of their own, then what the user adds.
fn read_user<'a>(
    blocks: Vec<Node<'a>>,
    at: Field<()>,
    turns: &mut Vec<Turn<'a>>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    let mut results: Vec<ToolResult<'a>> = Vec::new();
    let mut parts: Vec<Content<'a>> = Vec::new();
    let mut is_behind_result = false;
    for block in blocks {
        let block = union(block)?;
        match block.name.as_ref() {
            "toolResult" => {
                results.push(tool_result(block.value, losses)?);
                is_behind_result = true;
                continue;
            }
            "cachePoint" => {
                let before = if is_behind_result {
                    results.last_mut().map(|result| &mut result.cache)
                } else {
                    parts.last_mut().and_then(marks::of_content)
                };
                if !marks::has_marked(before, cache_point(block.value, losses)?) {
                    parts.push(Content::Native(block.whole));
                }
            }
            _ => parts.push(content(block, losses)?),
        }
        is_behind_result = false;
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

type Tools<'a> = (Vec<Tool<'a>>, Option<Field<ToolChoice<'a>>>);

fn read_tools<'a>(fields: &mut Fields<'a>, losses: &mut Losses) -> Result<Tools<'a>, Malformed> {
    let Some(mut config) = fields.object("toolConfig")? else { return Ok((Vec::new(), None)) };
    let mut tools = Vec::new();
    for block in config.list("tools")? {
        let Union { name, value, whole } = union(block)?;
        match name.as_ref() {
            "toolSpec" => tools.push(Tool::Function(read_tool(value, losses)?)),
            "cachePoint" => {
                let before = tools.last_mut().and_then(marks::of_tool);
                if !marks::has_marked(before, cache_point(value, losses)?) {
                    tools.push(Tool::Native(whole));
                }
            }
            _ => tools.push(Tool::Native(whole)),
        }
    }
    let mut choice = None;
    if let Some(node) = config.take("toolChoice") {
        let at = node.at;
        let Union { name, value, whole } = union(node)?;
        let value = match name.as_ref() {
            "auto" => ToolChoice::Auto,
            "any" => ToolChoice::Required,
            "tool" => {
                let mut tool = Fields::of(value)?;
                let name = tool.needed_text("name")?.value;
                tool.finish(losses);
                ToolChoice::Function(name)
            }
            _ => ToolChoice::Native(whole),
        };
        choice = Some(Field { value, at });
    }
    config.finish(losses);
    Ok((tools, choice))
}

fn read_tool<'a>(value: Node<'a>, losses: &mut Losses) -> Result<FunctionTool<'a>, Malformed> {
    let mut fields = Fields::of(value)?;
    let at = fields.at;
    let schema = match fields.object("inputSchema")? {
        Some(mut schema) => {
            let json = schema.raw("json").map(|json| json.value);
            schema.finish(losses);
            json
        }
        None => None,
    };
    let tool = FunctionTool {
        name: fields.needed_text("name")?.value,
        description: fields.text("description")?.map(|text| text.value),
        schema,
        strict: fields.truth("strict")?,
        cache: None,
        at,
    };
    fields.finish(losses);
    Ok(tool)
}

type Inference<'a> = (Option<Field<u64>>, Sampling<'a>);

fn read_inference<'a>(fields: &mut Fields<'a>, losses: &mut Losses) -> Result<Inference<'a>, Malformed> {
    let Some(mut config) = fields.object("inferenceConfig")? else { return Ok((None, Sampling::default())) };
    let mut stop = Vec::new();
    for text in config.list("stopSequences")? {
        let value = text.text().ok_or(Malformed::new(text.at, "a string"))?;
        stop.push(Field { value, at: text.at });
    }
    let max_tokens = config.count("maxTokens")?;
    let sampling = Sampling {
        temperature: config.number("temperature")?,
        top_p: config.number("topP")?,
        stop,
        ..Sampling::default()
    };
    config.finish(losses);
    Ok((max_tokens, sampling))
}

type More<'a> = (Thinking, Option<Field<u64>>, Option<Native<'a>>);

/// `additionalModelRequestFields`: what every dialect knows of it, and the rest as it stands.
fn read_more<'a>(fields: &mut Fields<'a>, losses: &mut Losses) -> Result<More<'a>, Malformed> {
    let Some(node) = fields.take(words::MORE_OF_REQUEST) else {
        return Ok((Thinking::default(), None, None));
    };
    let at = node.at;
    let mut more = Fields::of(node)?;
    let thinking = read_thinking(&mut more, losses)?;
    let top_k = more.count("top_k")?;
    let thinking = match more.object("output_config")? {
        Some(mut config) => {
            let told = read_effort(config.text("effort")?, losses);
            config.finish(losses);
            Thinking { effort: told.or(thinking.effort), ..thinking }
        }
        None => thinking,
    };
    let mut rest: Vec<_> = more.into_rest().collect();
    rest.sort_by_key(|(_, node)| node.at);
    let mut json = Json::default();
    json.open('{');
    for (name, node) in &rest {
        json.key(name).raw(node.raw);
    }
    json.close('}');
    let native = String::from_utf8(json.into_bytes()).ok().and_then(|text| Raw::new(Cow::Owned(text)));
    let native = native.filter(|_| !rest.is_empty()).map(|value| Native {
        owner: Maker::Bedrock,
        name: Cow::Borrowed(words::MORE_OF_REQUEST),
        value,
        at,
    });
    Ok((thinking, top_k, native))
}

type Output<'a> = (Option<Field<OutputFormat<'a>>>, Option<Field<Effort>>);

fn read_output<'a>(fields: &mut Fields<'a>, losses: &mut Losses) -> Result<Output<'a>, Malformed> {
    let Some(mut config) = fields.object("outputConfig")? else { return Ok((None, None)) };
    let known = read_effort(config.text("effort")?, losses);
    let mut form = None;
    if let Some(mut told) = config.object("textFormat")? {
        let at = told.at;
        told.take("type");
        let mut structure = Fields::of(told.needed("structure")?)?;
        let mut definition = Fields::of(structure.needed("jsonSchema")?)?;
        let schema = definition.needed_text("schema")?;
        let schema = Raw::new(schema.value).ok_or(Malformed::new(schema.at, "JSON in a string"))?;
        let value = OutputFormat::Schema(SchemaFormat {
            name: definition.text("name")?.map(|name| name.value),
            description: definition.text("description")?,
            schema: Some(schema),
            strict: None,
        });
        definition.finish(losses);
        structure.finish(losses);
        told.finish(losses);
        form = Some(Field { value, at });
    }
    config.finish(losses);
    Ok((form, known))
}

fn read_effort(told: Option<Field<Cow<'_, str>>>, losses: &mut Losses) -> Option<Field<Effort>> {
    let told = told?;
    let known = effort(&told.value);
    if known.is_none() {
        losses.unknown(told.at);
    }
    known.map(|value| Field { value, at: told.at })
}
