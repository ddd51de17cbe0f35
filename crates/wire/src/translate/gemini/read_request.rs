//! A request, read.

use super::calls::Calls;
use super::read_parts::{self, native, several};
use super::read_settings::{self, Choice, Settings};
use super::{schema, words};
use crate::translate::json::{Fields, Node};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Authority, Delivery, Field, FunctionTool, Maker, Native, Raw, Request, Tool, Turn,
};

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
    let mut fields = Fields::in_camel_case(body)?;
    // The path names the model; some SDKs do it here once more.
    let model = fields.text("model")?.map(|model| model.value).unwrap_or_default();
    let mut turns = Vec::new();
    if let Some(system) = fields.take("systemInstruction") {
        let at = Field { value: (), at: system.at };
        let parts = read_parts::instructions(system, losses)?;
        if !parts.is_empty() {
            turns.push(Turn::Instructions { authority: Authority::System, parts, name: None, at });
        }
    }
    let contents = several(&mut fields, "contents");
    if contents.is_empty() {
        return Err(Malformed::missing(fields.at, "contents"));
    }
    read_turns(contents, &mut turns, losses)?;
    let mut tools = Vec::new();
    for tool in several(&mut fields, "tools") {
        read_tool(tool, &mut tools, losses)?;
    }
    let Choice { choice, is_strict } = match fields.take("toolConfig") {
        Some(config) => read_settings::choice(config, losses)?,
        None => Choice::default(),
    };
    for tool in &mut tools {
        if let Tool::Function(function) = tool {
            function.strict = is_strict;
        }
    }
    let Settings { format, max_tokens, modalities, thinking, sampling } =
        match fields.take("generationConfig") {
            Some(config) => read_settings::settings(config, losses)?,
            None => Settings::default(),
        };
    Ok(Request {
        model,
        turns,
        tools,
        tool_choice: choice,
        format,
        max_tokens,
        modalities,
        thinking,
        sampling,
        delivery: Delivery {
            // The path tells of a stream; usage comes in any.
            wants_usage: true,
            service_tier: fields.text("serviceTier")?.map(|tier| tier.map(words::service_tier)),
            store: fields.truth("store")?,
            metadata: fields.raw("labels"),
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
            owner: Maker::Gemini,
            name,
            value: Raw::borrowed(node.raw),
            at: node.at,
        })
        .collect();
    natives.sort_by_key(|native| native.at);
    natives
}

fn read_turns<'a>(
    contents: Vec<Node<'a>>,
    turns: &mut Vec<Turn<'a>>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    let mut calls = Calls::default();
    for content in contents {
        let mut fields = Fields::in_camel_case(content)?;
        let at = Field { value: (), at: fields.at };
        let role = fields.text("role")?;
        let parts = several(&mut fields, "parts");
        match role.as_ref().map(|role| role.value.as_ref()) {
            Some("model") => {
                let mut parts = read_parts::model(parts, losses)?;
                calls.take_up(&mut parts);
                turns.push(Turn::Assistant { parts, name: None, at });
            }
            // `function` was the role of results once.
            None | Some("user" | "function" | "") => {
                let (results, parts) = read_parts::user(parts, &mut calls, losses)?;
                let has_results = !results.is_empty();
                if has_results {
                    turns.push(Turn::Tools(results));
                }
                if !parts.is_empty() || !has_results {
                    turns.push(Turn::User { parts, name: None, at });
                }
            }
            Some(_) => {
                let at = role.map_or(fields.at, |role| role.at);
                return Err(Malformed::new(at, "`user` or `model`"));
            }
        }
        fields.finish(losses);
    }
    Ok(())
}

fn read_tool<'a>(tool: Node<'a>, tools: &mut Vec<Tool<'a>>, losses: &mut Losses) -> Result<(), Malformed> {
    let whole = native(&tool);
    let mut fields = Fields::in_camel_case(tool)?;
    let functions = several(&mut fields, "functionDeclarations");
    if functions.is_empty() {
        tools.push(Tool::Native(whole));
        return Ok(());
    }
    for function in functions {
        tools.push(Tool::Function(read_function(function, losses)?));
    }
    tools.extend(natives(fields).into_iter().map(Tool::Native));
    Ok(())
}

fn read_function<'a>(function: Node<'a>, losses: &mut Losses) -> Result<FunctionTool<'a>, Malformed> {
    let mut fields = Fields::in_camel_case(function)?;
    let json_schema = fields.raw("parametersJsonSchema").map(|schema| schema.value);
    let own_schema = fields.take("parameters");
    let function = FunctionTool {
        name: fields.needed_text("name")?.value,
        description: fields.text("description")?.map(|text| text.value),
        schema: json_schema.or_else(|| own_schema.map(|node| schema::read(&node))),
        strict: None,
        cache: None,
        at: fields.at,
    };
    fields.finish(losses);
    Ok(function)
}
