//! The model's name in a body of Gemini's API, where the path has the last word on it.
//!
//! Some bodies name it again: each of `requests` (`batchEmbedContents`), `generateContentRequest` (`countTokens`), and any
//! may at its top. A provider that believed the body could be asked for another model than the one that was allowed; so
//! all of these are named as the path is. As protobuf's JSON has it, a field's name may be written in snake case, too.

use crate::bad_body::BadBody;
use crate::json::{self, Fault, Kind, Member, Value};
use crate::json_head::resolve;
use bytes::{BufMut, Bytes, BytesMut};

/// The body with every model in it named `models/{model}`; the same `Bytes` where none is.
///
/// # Errors
/// Where it is no JSON. It should have passed [`read_head`](crate::read_head), which refuses a name that is there twice.
pub fn name_model(body: Bytes, model: &str) -> Result<Bytes, BadBody> {
    let text =
        std::str::from_utf8(&body).map_err(|error| BadBody::NotJson { offset: error.valid_up_to() })?;
    let mut named = Vec::new();
    let root = json::document(text)?;
    find(&root, 0, &mut named)?;
    root.each_member(|member| {
        let base = root.start;
        match name_of(&member).as_str() {
            "requests" => {
                let mut requests = Vec::new();
                member.value.each_element(|request| requests.push(request))?;
                for request in requests {
                    find(&request, base + member.value.start, &mut named)?;
                }
                Ok(())
            }
            "generateContentRequest" | "generate_content_request" => find(&member.value, base, &mut named),
            _ => Ok(()),
        }
    })?;
    if named.is_empty() {
        return Ok(body);
    }
    named.sort_unstable();
    let name = serde_json::Value::from(format!("models/{model}")).to_string();
    let mut renamed = BytesMut::with_capacity(body.len() + named.len() * name.len());
    let mut copied = 0;
    for (start, end) in named {
        renamed.put_slice(body.get(copied..start).unwrap_or_default());
        renamed.put_slice(name.as_bytes());
        copied = end;
    }
    renamed.put_slice(body.get(copied..).unwrap_or_default());
    Ok(renamed.freeze())
}

/// The places of the values that are called `model` in an object, which begins so far behind `base`. All of them: where a
/// name is there twice, no reader finds another model in the second.
fn find(object: &Value<'_>, base: usize, named: &mut Vec<(usize, usize)>) -> Result<(), Fault> {
    if object.kind != Kind::Object {
        return Ok(());
    }
    object.each_member(|member| {
        if name_of(&member) == "model" {
            let start = base + object.start + member.value.start;
            named.push((start, start + member.value.raw.len()));
        }
        Ok(())
    })
}

fn name_of(member: &Member<'_>) -> String {
    resolve(member.key).map(std::borrow::Cow::into_owned).unwrap_or_default()
}
