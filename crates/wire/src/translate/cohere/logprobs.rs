//! Probabilities of tokens: `[{"text", "token_ids", "logprobs"}]` here, OpenAI's words in the model.

use crate::translate::json::{Json, Node, Value, parse};
use crate::translate::losses::Losses;
use crate::translate::model::{Raw, Spot};

/// The items in OpenAI's words. Of a text of several tokens the probability is that of all together, whose
/// logarithms add up.
pub(super) fn read(items: &[Node<'_>]) -> Option<Raw<'static>> {
    let mut json = Json::default();
    json.open('{').key("content").open('[');
    for item in items {
        let text = item.text_of("text").unwrap_or_default();
        json.open('{').key("token").string(&text).key("logprob");
        match item.member("logprobs").map(|told| &told.value) {
            Some(Value::List(told)) if told.len() == 1 => {
                for one in told {
                    json.raw(one.raw);
                }
            }
            Some(Value::List(told)) => {
                json.number(told.iter().filter_map(|one| one.raw.parse::<f64>().ok()).sum());
            }
            _ => {
                json.null();
            }
        }
        json.key("bytes").open('[');
        for byte in text.bytes() {
            json.count(u64::from(byte));
        }
        json.close(']').key("top_logprobs").open('[').close(']').close('}');
    }
    json.close(']').key("refusal").null().close('}');
    Raw::new(String::from_utf8(json.into_bytes()).ok()?.into())
}

/// Gives each item as it is here to `put`.
pub(super) fn write(told: &Raw<'_>, losses: &mut Losses, mut put: impl FnMut(&Item<'_>)) {
    let Ok(told) = parse(told.text()) else { return };
    for name in ["content", "refusal"] {
        let Some(Value::List(items)) = told.member(name).map(|items| &items.value) else { continue };
        for item in items {
            if matches!(item.member("top_logprobs").map(|top| &top.value), Some(Value::List(top)) if !top.is_empty())
            {
                losses.note(Spot::NOWHERE, "of tokens that were not chosen no probabilities are told");
            }
            put(&Item(item));
        }
    }
}

/// One item, in OpenAI's words.
pub(super) struct Item<'i>(&'i Node<'i>);

impl Item<'_> {
    /// Writes it as one of Cohere's, whose tokens have numbers that nobody else knows.
    pub(super) fn put(&self, json: &mut Json) {
        json.open('{').key("text").string(&self.0.text_of("token").unwrap_or_default());
        json.key("token_ids").open('[').close(']').key("logprobs").open('[');
        if let Some(logprob) = self.0.member("logprob") {
            json.raw(logprob.raw);
        }
        json.close(']').close('}');
    }
}
