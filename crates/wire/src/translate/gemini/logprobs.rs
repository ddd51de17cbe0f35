//! Probabilities of tokens: `logprobsResult`, and OpenAI's words for the same, which the model keeps.

use crate::translate::json::{Json, Node, Value, parse};
use crate::translate::model::Raw;
use std::borrow::Cow;

/// `{"content": [{"token", "logprob", "bytes", "top_logprobs"}]}` of a `logprobsResult`.
pub(super) fn read(result: &Node<'_>) -> Option<Raw<'static>> {
    let Value::List(chosen) = &result.member("chosenCandidates")?.value else { return None };
    let tops = match result.member("topCandidates").map(|tops| &tops.value) {
        Some(Value::List(tops)) => tops.as_slice(),
        _ => &[],
    };
    let mut json = Json::default();
    json.open('{').key("content").open('[');
    for (index, token) in chosen.iter().enumerate() {
        json.open('{');
        put_token(&mut json, token);
        json.key("top_logprobs").open('[');
        if let Some(Value::List(tops)) =
            tops.get(index).and_then(|top| top.member("candidates")).map(|tops| &tops.value)
        {
            for top in tops {
                json.open('{');
                put_token(&mut json, top);
                json.close('}');
            }
        }
        json.close(']').close('}');
    }
    json.close(']').close('}');
    Raw::new(Cow::Owned(String::from_utf8(json.into_bytes()).ok()?))
}

fn put_token(json: &mut Json, token: &Node<'_>) {
    let text = token.text_of("token").unwrap_or_default();
    json.key("token").string(&text).key("logprob");
    json.raw(token.member("logProbability").map_or("0", |number| number.raw));
    json.key("bytes").open('[');
    for byte in text.bytes() {
        json.count(byte.into());
    }
    json.close(']');
}

/// Writes `logprobsResult` of what is in OpenAI's words; tells whether it could be.
pub(super) fn put(json: &mut Json, told: &Raw<'_>) -> bool {
    let Ok(told) = parse(told.text()) else { return false };
    let Some(Value::List(tokens)) = told.member("content").map(|content| &content.value) else {
        return false;
    };
    json.key("logprobsResult").open('{').key("chosenCandidates").open('[');
    for token in tokens {
        put_candidate(json, token);
    }
    json.close(']').key("topCandidates").open('[');
    for token in tokens {
        json.open('{').key("candidates").open('[');
        if let Some(Value::List(tops)) = token.member("top_logprobs").map(|tops| &tops.value) {
            for top in tops {
                put_candidate(json, top);
            }
        }
        json.close(']').close('}');
    }
    json.close(']').close('}');
    true
}

fn put_candidate(json: &mut Json, token: &Node<'_>) {
    json.open('{').key("token").string(&token.text_of("token").unwrap_or_default());
    json.key("logProbability").raw(token.member("logprob").map_or("0", |number| number.raw)).close('}');
}
