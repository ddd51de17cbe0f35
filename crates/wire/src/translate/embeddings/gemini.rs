//! Gemini's `embedContent` and `batchEmbedContents`.

use super::model::{Answer, Purpose, Request, Vector};
use super::{AnswerShape, EmbeddingContext};
use crate::translate::json::{Fields, Json, Node};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::Field;
use std::borrow::Cow;

pub(super) fn read_request<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
    if body.member("requests").is_none() {
        let mut request = Request {
            shape: AnswerShape { is_single: true, ..AnswerShape::default() },
            ..Request::default()
        };
        read_one(Fields::of(body)?, &mut request, losses)?;
        return Ok(request);
    }
    let mut fields = Fields::of(body)?;
    let mut request = Request::default();
    for one in fields.list("requests")? {
        read_one(Fields::of(one)?, &mut request, losses)?;
    }
    fields.finish(losses);
    Ok(request)
}

/// Adds one text. What is set for each text elsewhere is set for all.
fn read_one<'a>(
    mut fields: Fields<'a>,
    request: &mut Request<'a>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    let is_first = request.texts.is_empty();
    fields.take("model");
    let mut content = Fields::of(fields.needed("content")?)?;
    content.take("role");
    let mut text = Cow::Borrowed("");
    for part in content.list("parts")? {
        match part.text_of("text") {
            Some(more) if text.is_empty() => text = more,
            Some(more) => text.to_mut().push_str(&more),
            None => return Err(Malformed::new(part.at, "a part with a `text`")),
        }
    }
    content.finish(losses);
    request.texts.push(text);
    let dimensions = fields.count("outputDimensionality")?;
    let told = fields.text("taskType")?;
    let purpose = told.and_then(|told| match purpose(&told.value) {
        Some(purpose) => Some(told.map(|_| purpose)),
        None => {
            losses.note(told.at, "vectors are not made for this elsewhere");
            None
        }
    });
    if is_first {
        (request.dimensions, request.purpose) = (dimensions, purpose);
    } else if dimensions != request.dimensions || purpose != request.purpose {
        losses.note(fields.at, "all texts have the first one's purpose and dimensions");
    }
    if let Some(title) = fields.take("title") {
        losses.note(title.at, "texts have no titles");
    }
    fields.finish(losses);
    Ok(())
}

fn purpose(name: &str) -> Option<Purpose> {
    Some(match name {
        "RETRIEVAL_DOCUMENT" => Purpose::Document,
        "RETRIEVAL_QUERY" => Purpose::Query,
        "CLASSIFICATION" => Purpose::Classification,
        "CLUSTERING" => Purpose::Clustering,
        _ => return None,
    })
}

pub(super) fn write_request(json: &mut Json, request: Request<'_>, model: &str) {
    let Request { texts, dimensions, purpose, shape: _ } = request;
    let word = purpose.map(|Field { value, .. }| match value {
        Purpose::Document => "RETRIEVAL_DOCUMENT",
        Purpose::Query => "RETRIEVAL_QUERY",
        Purpose::Classification => "CLASSIFICATION",
        Purpose::Clustering => "CLUSTERING",
    });
    json.open('{').key("requests").open('[');
    for text in texts {
        json.open('{').key("model").string(&format!("models/{model}")).key("content").open('{');
        json.key("parts").open('[').open('{').key("text").string(&text).close('}').close(']').close('}');
        if let Some(word) = word {
            json.key("taskType").string(word);
        }
        if let Some(dimensions) = dimensions {
            json.key("outputDimensionality").count(dimensions.value);
        }
        json.close('}');
    }
    json.close(']').close('}');
}

pub(super) fn read_answer(body: Node<'_>) -> Result<Answer<'_>, Malformed> {
    let mut fields = Fields::of(body)?;
    let list = match fields.take("embedding") {
        Some(one) => vec![one],
        None => fields.list("embeddings")?,
    };
    let mut vectors = Vec::with_capacity(list.len());
    for one in list {
        vectors.push(Vector::read(Fields::of(one)?.needed("values")?)?);
    }
    let tokens = fields.take("usageMetadata").and_then(|usage| usage.count_of("promptTokenCount"));
    Ok(Answer { vectors, tokens })
}

pub(super) fn write_answer(json: &mut Json, answer: &Answer<'_>, context: &EmbeddingContext<'_>) {
    let Answer { vectors, tokens } = answer;
    json.open('{');
    if context.shape.is_single {
        json.key("embedding");
        if let Some(vector) = vectors.first() {
            put_values(json, vector);
        } else {
            json.null();
        }
    } else {
        json.key("embeddings").open('[');
        for vector in vectors {
            put_values(json, vector);
        }
        json.close(']');
    }
    if let Some(tokens) = tokens {
        json.key("usageMetadata").open('{').key("promptTokenCount").count(*tokens).close('}');
    }
    json.close('}');
}

fn put_values(json: &mut Json, vector: &Vector<'_>) {
    json.open('{').key("values");
    vector.put_list(json);
    json.close('}');
}
