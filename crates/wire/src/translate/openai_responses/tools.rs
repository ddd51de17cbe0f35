//! Tools and the choice among them, read and written.

use super::read_parts::native;
use crate::translate::json::{Fields, Json, Node, Value, parse};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{CustomTool, Field, FunctionTool, Maker, Native, Raw, Tool, ToolChoice};
use std::borrow::Cow;

pub(super) fn read_tool<'a>(tool: Node<'a>, losses: &mut Losses) -> Result<Tool<'a>, Malformed> {
    let kind = tool.text_of("type").ok_or_else(|| Malformed::missing(tool.at, "type"))?;
    if !matches!(kind.as_ref(), "function" | "custom") {
        return Ok(Tool::Native(native(&tool)));
    }
    let mut fields = Fields::of(tool)?;
    let at = fields.at;
    fields.take("type");
    let name = fields.needed_text("name")?.value;
    let description = fields.text("description")?.map(|text| text.value);
    let tool = if kind == "custom" {
        let format = fields.take("format").map(|format| nested(&format));
        Tool::Custom(CustomTool { name, description, format, at })
    } else {
        let schema = fields.raw("parameters").map(|schema| schema.value);
        // Not to be strict is what goes without saying everywhere else.
        let strict = fields.truth("strict")?.filter(|strict| strict.value);
        Tool::Function(FunctionTool { name, description, schema, strict, cache: None, at })
    };
    fields.finish(losses);
    Ok(tool)
}

/// A grammar as the model carries it, in chat's words: there it is an object of its own.
fn nested<'a>(format: &Node<'a>) -> Raw<'a> {
    let is_flat = format.text_of("type").as_deref() == Some("grammar") && format.member("grammar").is_none();
    let Value::Object(members) = &format.value else { return Raw::borrowed(format.raw) };
    if !is_flat {
        return Raw::borrowed(format.raw);
    }
    let mut json = Json::default();
    json.open('{').key("type").string("grammar").key("grammar").open('{');
    put_but_type(&mut json, members);
    json.close('}').close('}');
    String::from_utf8(json.into_bytes())
        .ok()
        .and_then(|json| Raw::new(Cow::Owned(json)))
        .unwrap_or_else(|| Raw::borrowed(format.raw))
}

/// And back.
fn put_flat(json: &mut Json, format: &Raw<'_>) {
    let told = parse(format.text()).ok();
    let grammar = told.as_ref().filter(|told| told.text_of("type").as_deref() == Some("grammar"));
    match grammar.and_then(|told| told.member("grammar")).map(|grammar| &grammar.value) {
        Some(Value::Object(members)) => {
            json.open('{').key("type").string("grammar");
            put_but_type(json, members);
            json.close('}');
        }
        _ => {
            json.raw(format.text());
        }
    }
}

fn put_but_type(json: &mut Json, members: &[(Cow<'_, str>, Node<'_>)]) {
    for (name, node) in members.iter().filter(|(name, _)| name != "type") {
        json.key(name).raw(node.raw);
    }
}

pub(super) fn read_choice<'a>(
    node: Node<'a>,
    losses: &mut Losses,
) -> Result<Field<ToolChoice<'a>>, Malformed> {
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
    let value = match fields.needed_text("type")?.value.as_ref() {
        "function" => ToolChoice::Function(fields.needed_text("name")?.value),
        "custom" => ToolChoice::Custom(fields.needed_text("name")?.value),
        "allowed_tools" => {
            let is_required = fields.needed_text("mode")?.value == "required";
            let mut names = Vec::new();
            for tool in fields.list("tools")? {
                let is_function = tool.text_of("type").as_deref() == Some("function");
                match tool.text_of("name").filter(|_| is_function) {
                    Some(name) => names.push(name),
                    None => losses.unknown(tool.at),
                }
            }
            ToolChoice::Allowed { is_required, names }
        }
        _ => return Ok(Field { value: ToolChoice::Native(whole), at }),
    };
    fields.finish(losses);
    Ok(Field { value, at })
}

pub(super) fn put_tool(json: &mut Json, tool: Tool<'_>, losses: &mut Losses) {
    match tool {
        Tool::Function(FunctionTool { name, description, schema, strict, cache, at: _ }) => {
            if let Some(cache) = cache {
                losses.note(cache.at, "what is cached can be marked in messages only");
            }
            json.open('{').key("type").string("function").key("name").string(&name);
            put_description(json, description);
            json.key("parameters");
            match schema {
                Some(schema) => json.raw(schema.text()),
                None => json.null(),
            };
            // Left out, it would be strict here, and is not elsewhere.
            json.key("strict").bool(strict.is_some_and(|strict| strict.value)).close('}');
        }
        Tool::Custom(CustomTool { name, description, format, at: _ }) => {
            json.open('{').key("type").string("custom").key("name").string(&name);
            put_description(json, description);
            if let Some(format) = format {
                json.key("format");
                put_flat(json, &format);
            }
            json.close('}');
        }
        Tool::Native(Native { owner, name: _, value, at }) => {
            if owner == Maker::OpenAiResponses {
                json.raw(value.text());
            } else {
                losses.note(at, "it is known to its own provider only");
            }
        }
    }
}

fn put_description(json: &mut Json, description: Option<Cow<'_, str>>) {
    if let Some(description) = description {
        json.key("description").string(&description);
    }
}

pub(super) fn put_choice(
    json: &mut Json,
    choice: Field<ToolChoice<'_>>,
    has_tools: bool,
    losses: &mut Losses,
) {
    let Field { value, at } = choice;
    if !has_tools && matches!(value, ToolChoice::Auto | ToolChoice::None) {
        return;
    }
    if let ToolChoice::Native(Native { owner, .. }) = &value
        && *owner != Maker::OpenAiResponses
    {
        return losses.note(at, "this choice of a tool has no counterpart");
    }
    json.key("tool_choice");
    match value {
        ToolChoice::Auto => json.string("auto"),
        ToolChoice::None => json.string("none"),
        ToolChoice::Required => json.string("required"),
        ToolChoice::Function(name) => put_named(json, "function", &name),
        ToolChoice::Custom(name) => put_named(json, "custom", &name),
        ToolChoice::Native(native) => json.raw(native.value.text()),
        ToolChoice::Allowed { is_required, names } => {
            json.open('{').key("type").string("allowed_tools");
            json.key("mode").string(if is_required { "required" } else { "auto" });
            json.key("tools").open('[');
            for name in names {
                put_named(json, "function", &name);
            }
            json.close(']').close('}')
        }
    };
}

fn put_named<'j>(json: &'j mut Json, kind: &str, name: &str) -> &'j mut Json {
    json.open('{').key("type").string(kind).key("name").string(name).close('}')
}
