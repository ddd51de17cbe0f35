//! A request, read.

use super::read_message::read_turns;
use super::read_parts::native;
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    CustomTool, Field, FunctionTool, Native, OutputFormat, Request, Sampling, SchemaFormat, Thinking, Tool,
    ToolChoice,
};
use crate::translate::openai::cache::cache;
use crate::translate::openai::settings;
use std::borrow::Cow;

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    let at = fields.at;
    let messages = match fields.needed("messages")?.value {
        Value::List(messages) => messages,
        _ => return Err(Malformed::new(at, "an object whose `messages` are an array")),
    };
    let turns = read_turns(messages, losses)?;
    let mut tools = Vec::new();
    for tool in fields.list("tools")? {
        tools.push(read_tool(tool, losses)?);
    }
    let tool_choice = fields.take("tool_choice").map(|choice| read_choice(choice, losses)).transpose()?;
    let format = fields.take("response_format").map(|format| read_format(format, losses)).transpose()?;
    let newer_limit = fields.count("max_completion_tokens")?;
    let older_limit = fields.count("max_tokens")?;
    Ok(Request {
        model: fields.text("model")?.map(|model| model.value).unwrap_or_default(),
        turns,
        tools,
        tool_choice,
        parallel_tool_calls: fields.truth("parallel_tool_calls")?,
        format: format.flatten(),
        max_tokens: newer_limit.or(older_limit),
        verbosity: fields.text("verbosity")?,
        modalities: fields.raw("modalities"),
        thinking: match fields.text("reasoning_effort")? {
            Some(told) => settings::thinking(&told, losses),
            None => Thinking::default(),
        },
        sampling: Sampling {
            temperature: fields.number("temperature")?,
            top_p: fields.number("top_p")?,
            // OpenAI has none, many who speak like it have.
            top_k: fields.count("top_k")?,
            seed: fields.signed("seed")?,
            frequency_penalty: fields.number("frequency_penalty")?,
            presence_penalty: fields.number("presence_penalty")?,
            stop: read_stop(&mut fields)?,
            n: fields.count("n")?,
            logprobs: fields.truth("logprobs")?,
            top_logprobs: fields.count("top_logprobs")?,
            logit_bias: fields.raw("logit_bias"),
        },
        delivery: settings::delivery(&mut fields, losses)?,
        natives: natives(fields),
    })
}

fn natives(fields: Fields<'_>) -> Vec<Native<'_>> {
    let mut natives: Vec<_> =
        fields.into_rest().map(|(name, node)| Native { name, ..native(&node) }).collect();
    natives.sort_by_key(|native| native.at);
    natives
}

fn read_stop<'a>(fields: &mut Fields<'a>) -> Result<Vec<Field<Cow<'a, str>>>, Malformed> {
    let Some(node) = fields.take("stop") else { return Ok(Vec::new()) };
    let one = |node: &Node<'a>| node.text().map(|value| Field { value, at: node.at });
    let stop = match &node.value {
        Value::List(texts) => texts.iter().map(one).collect::<Option<Vec<_>>>(),
        _ => one(&node).map(|text| vec![text]),
    };
    stop.ok_or(Malformed::new(node.at, "a string or an array of strings"))
}

fn read_tool<'a>(tool: Node<'a>, losses: &mut Losses) -> Result<Tool<'a>, Malformed> {
    let kind = tool.text_of("type").ok_or_else(|| Malformed::missing(tool.at, "type"))?;
    if !matches!(kind.as_ref(), "function" | "custom") {
        return Ok(Tool::Native(native(&tool)));
    }
    let mut fields = Fields::of(tool)?;
    let at = fields.at;
    fields.take("type");
    let cache = cache(&mut fields, losses)?;
    if kind == "custom" {
        let mut custom = Fields::of(fields.needed("custom")?)?;
        let tool = CustomTool {
            name: custom.needed_text("name")?.value,
            description: custom.text("description")?.map(|text| text.value),
            format: custom.raw("format").map(|format| format.value),
            at,
        };
        custom.finish(losses);
        fields.finish(losses);
        return Ok(Tool::Custom(tool));
    }
    let mut function = Fields::of(fields.needed("function")?)?;
    let tool = FunctionTool {
        name: function.needed_text("name")?.value,
        description: function.text("description")?.map(|text| text.value),
        schema: function.raw("parameters").map(|schema| schema.value),
        strict: function.truth("strict")?,
        cache,
        at,
    };
    function.finish(losses);
    fields.finish(losses);
    Ok(Tool::Function(tool))
}

fn read_choice<'a>(node: Node<'a>, losses: &mut Losses) -> Result<Field<ToolChoice<'a>>, Malformed> {
    let at = node.at;
    let whole = native(&node);
    if let Some(word) = node.text() {
        let value = match word.as_ref() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => return Err(Malformed::new(at, "`auto`, `none`, `required` or an object")),
        };
        return Ok(Field { value, at });
    }
    let mut fields = Fields::of(node)?;
    let kind = fields.needed_text("type")?.value;
    let value = match kind.as_ref() {
        "function" | "custom" => {
            let mut inner =
                Fields::of(fields.needed(if kind == "custom" { "custom" } else { "function" })?)?;
            let name = inner.needed_text("name")?.value;
            inner.finish(losses);
            if kind == "custom" { ToolChoice::Custom(name) } else { ToolChoice::Function(name) }
        }
        "allowed_tools" => {
            let mut allowed = Fields::of(fields.needed("allowed_tools")?)?;
            let is_required = allowed.needed_text("mode")?.value == "required";
            let mut names = Vec::new();
            for tool in allowed.list("tools")? {
                match tool.member("function").and_then(|function| function.text_of("name")) {
                    Some(name) => names.push(name),
                    None => losses.unknown(tool.at),
                }
            }
            allowed.finish(losses);
            ToolChoice::Allowed { is_required, names }
        }
        _ => return Ok(Field { value: ToolChoice::Native(whole), at }),
    };
    fields.finish(losses);
    Ok(Field { value, at })
}

fn read_format<'a>(
    node: Node<'a>,
    losses: &mut Losses,
) -> Result<Option<Field<OutputFormat<'a>>>, Malformed> {
    let mut fields = Fields::of(node)?;
    let at = fields.at;
    let kind = fields.needed_text("type")?;
    let value = match kind.value.as_ref() {
        "text" => OutputFormat::Text,
        "json_object" => OutputFormat::JsonObject,
        "json_schema" => {
            let mut schema = Fields::of(fields.needed("json_schema")?)?;
            let format = SchemaFormat {
                name: schema.text("name")?.map(|name| name.value),
                description: schema.text("description")?,
                schema: schema.raw("schema").map(|schema| schema.value),
                strict: schema.truth("strict")?,
            };
            schema.finish(losses);
            OutputFormat::Schema(format)
        }
        _ => {
            losses.unknown(kind.at);
            return Ok(None);
        }
    };
    fields.finish(losses);
    Ok(Some(Field { value, at }))
}
