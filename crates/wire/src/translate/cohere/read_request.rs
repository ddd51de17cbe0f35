//! A request, read.

use super::citations::native;
use super::documents;
use super::read_message::read_turns;
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Delivery, Field, FunctionTool, Media, Native, OutputFormat, Request, Sampling, SchemaFormat, Thinking,
    ThinkingMode, Tool, ToolChoice, Turn,
};
use std::borrow::Cow;

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    let messages = fields.needed("messages")?;
    let Value::List(messages) = messages.value else { return Err(Malformed::new(messages.at, "an array")) };
    let mut turns = read_turns(messages, losses)?;
    let more = read_documents(&mut fields, &mut turns, losses)?;
    let strict = fields.truth("strict_tools")?;
    let mut tools = Vec::new();
    for tool in fields.list("tools")? {
        tools.push(read_tool(tool, strict, losses)?);
    }
    let format = fields.take("response_format").map(|format| read_format(format, losses)).transpose()?;
    let mut stop = Vec::new();
    for text in fields.list("stop_sequences")? {
        let value = text.text().ok_or(Malformed::new(text.at, "a string"))?;
        stop.push(Field { value, at: text.at });
    }
    Ok(Request {
        model: fields.text("model")?.map(|model| model.value).unwrap_or_default(),
        turns,
        tools,
        tool_choice: read_choice(&mut fields)?,
        format: format.flatten(),
        max_tokens: fields.count("max_tokens")?,
        thinking: read_thinking(&mut fields, losses)?,
        sampling: Sampling {
            temperature: fields.number("temperature")?,
            top_p: fields.number("p")?,
            top_k: fields.count("k")?,
            seed: fields.signed("seed")?,
            frequency_penalty: fields.number("frequency_penalty")?,
            presence_penalty: fields.number("presence_penalty")?,
            stop,
            logprobs: fields.truth("logprobs")?,
            ..Sampling::default()
        },
        delivery: Delivery {
            is_stream: fields.truth("stream")?.is_some_and(|stream| stream.value),
            wants_usage: true,
            ..Delivery::default()
        },
        natives: natives(fields, more),
        ..Request::default()
    })
}

fn natives<'a>(fields: Fields<'a>, more: Option<Native<'a>>) -> Vec<Native<'a>> {
    let rest = fields.into_rest().map(|(name, node)| Native { name, ..native(&node) });
    let mut natives: Vec<_> = rest.chain(more).collect();
    natives.sort_by_key(|native| native.at);
    natives
}

/// Gives the documents to the turns; of how they are cited, what only Cohere knows comes back.
fn read_documents<'a>(
    fields: &mut Fields<'a>,
    turns: &mut Vec<Turn<'a>>,
    losses: &mut Losses,
) -> Result<Option<Native<'a>>, Malformed> {
    const OPTIONS: &str = "citation_options";
    let mut read: Vec<Media<'a>> = Vec::new();
    for document in fields.list("documents")? {
        read.push(documents::read(document, losses)?);
    }
    let options = fields.take(OPTIONS);
    // Without documents they are of what tools give, which no other dialect knows.
    let told = options.as_ref().filter(|_| !read.is_empty()).and_then(documents::read_citing);
    for media in &mut read {
        media.cites = Some(told.unwrap_or(Field { value: true, at: media.at }));
    }
    documents::add_to(turns, read);
    let rest = options.filter(|_| told.is_none());
    Ok(rest.map(|node| Native { name: Cow::Borrowed(OPTIONS), ..native(&node) }))
}

fn read_tool<'a>(
    tool: Node<'a>,
    strict: Option<Field<bool>>,
    losses: &mut Losses,
) -> Result<Tool<'a>, Malformed> {
    if tool.text_of("type").is_some_and(|kind| kind != "function") {
        return Ok(Tool::Native(native(&tool)));
    }
    let mut fields = Fields::of(tool)?;
    let at = fields.at;
    fields.take("type");
    let mut function = Fields::of(fields.needed("function")?)?;
    let tool = FunctionTool {
        name: function.needed_text("name")?.value,
        description: function.text("description")?.map(|text| text.value),
        schema: function.raw("parameters").map(|schema| schema.value),
        strict,
        cache: None,
        at,
    };
    function.finish(losses);
    fields.finish(losses);
    Ok(Tool::Function(tool))
}

fn read_choice<'a>(fields: &mut Fields<'a>) -> Result<Option<Field<ToolChoice<'a>>>, Malformed> {
    let Some(node) = fields.take("tool_choice") else { return Ok(None) };
    let value = match node.text().as_deref() {
        Some("REQUIRED") => ToolChoice::Required,
        Some("NONE") => ToolChoice::None,
        _ => return Err(Malformed::new(node.at, "`REQUIRED` or `NONE`")),
    };
    Ok(Some(Field { value, at: node.at }))
}

fn read_format<'a>(
    node: Node<'a>,
    losses: &mut Losses,
) -> Result<Option<Field<OutputFormat<'a>>>, Malformed> {
    let mut fields = Fields::of(node)?;
    let at = fields.at;
    let kind = fields.needed_text("type")?;
    // The older name of the same.
    let older = fields.raw("schema");
    let schema = fields.raw("json_schema").or(older);
    let value = match (kind.value.as_ref(), schema) {
        ("text", _) => OutputFormat::Text,
        ("json_object", None) => OutputFormat::JsonObject,
        ("json_object", Some(schema)) => OutputFormat::Schema(SchemaFormat {
            name: None,
            description: None,
            schema: Some(schema.value),
            strict: None,
        }),
        _ => {
            losses.unknown(kind.at);
            return Ok(None);
        }
    };
    fields.finish(losses);
    Ok(Some(Field { value, at }))
}

fn read_thinking(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Thinking, Malformed> {
    let Some(mut told) = fields.object("thinking")? else { return Ok(Thinking::default()) };
    let at = told.at;
    let kind = told.needed_text("type")?;
    let budget = told.count("token_budget")?;
    let value = match (kind.value.as_ref(), budget) {
        ("disabled", _) => ThinkingMode::Off,
        ("enabled", None) => ThinkingMode::Adaptive,
        ("enabled", Some(budget)) => ThinkingMode::Budget(budget.value),
        _ => return Err(Malformed::new(kind.at, "`enabled` or `disabled`")),
    };
    told.finish(losses);
    Ok(Thinking { mode: Some(Field { value, at }), ..Thinking::default() })
}
