//! OpenAI's `/v1/embeddings`.

use super::AnswerShape;
use super::EmbeddingContext;
use super::model::{Answer, Request, Vector, texts};
use crate::translate::json::{Fields, Json, Node, Value};
use crate::translate::losses::{Losses, Malformed};

pub(super) fn read_request<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    fields.take("model");
    let input = fields.needed("input")?;
    let texts = match (input.text(), input.value) {
        (Some(text), _) => vec![text],
        // Tokens are numbers of one tokenizer, which no other provider has.
        (None, Value::List(list)) => texts(list)?,
        (None, _) => return Err(Malformed::new(input.at, "a string or an array of strings")),
    };
    let encoding = fields.text("encoding_format")?;
    let is_base64 = encoding.is_some_and(|encoding| encoding.value == "base64");
    let dimensions = fields.count("dimensions")?;
    if let Some(user) = fields.take("user") {
        losses.note(user.at, "end users have no ids");
    }
    fields.finish(losses);
    Ok(Request { texts, dimensions, purpose: None, shape: AnswerShape { is_base64, is_single: false } })
}

pub(super) fn write_request(json: &mut Json, request: Request<'_>, model: &str, losses: &mut Losses) {
    let Request { texts, dimensions, purpose, shape: _ } = request;
    if let Some(purpose) = purpose {
        losses.note(purpose.at, "what vectors are for can't be set");
    }
    json.open('{').key("model").string(model).key("input").open('[');
    for text in texts {
        json.string(&text);
    }
    json.close(']').key("encoding_format").string("float");
    if let Some(dimensions) = dimensions {
        json.key("dimensions").count(dimensions.value);
    }
    json.close('}');
}

pub(super) fn read_answer(body: Node<'_>) -> Result<Answer<'_>, Malformed> {
    let mut fields = Fields::of(body)?;
    let mut vectors = Vec::new();
    for (position, told) in (0..).zip(fields.list("data")?) {
        let index = told.count_of("index").unwrap_or(position);
        vectors.push((index, Vector::read(Fields::of(told)?.needed("embedding")?)?));
    }
    vectors.sort_by_key(|(index, _)| *index);
    let vectors = vectors.into_iter().map(|(_, vector)| vector).collect();
    let tokens = fields.take("usage").and_then(|usage| usage.count_of("prompt_tokens"));
    Ok(Answer { vectors, tokens })
}

pub(super) fn write_answer(json: &mut Json, answer: &Answer<'_>, context: &EmbeddingContext<'_>) {
    let Answer { vectors, tokens } = answer;
    json.open('{').key("object").string("list").key("data").open('[');
    for (index, vector) in (0..).zip(vectors) {
        json.open('{').key("object").string("embedding").key("index").count(index).key("embedding");
        if context.shape.is_base64 {
            vector.put_base64(json);
        } else {
            vector.put_list(json);
        }
        json.close('}');
    }
    json.close(']').key("model").string(context.model);
    // Its clients read the counts without looking whether they are there.
    let tokens = tokens.unwrap_or(0);
    json.key("usage").open('{').key("prompt_tokens").count(tokens);
    json.key("total_tokens").count(tokens).close('}').close('}');
}
