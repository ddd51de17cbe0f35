//! Cohere's `/v2/embed`.

use super::EmbeddingContext;
use super::model::{Answer, Purpose, Request, Vector, texts};
use crate::translate::json::{Fields, Json, Node};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::Field;

pub(super) fn read_request<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    fields.take("model");
    let texts = texts(fields.list("texts")?)?;
    if texts.is_empty() {
        // Images, and `inputs` that mix them with texts, are vectors of this provider's models only.
        return Err(Malformed::missing(fields.at, "texts"));
    }
    let told = fields.text("input_type")?;
    let purpose = told.and_then(|told| match purpose(&told.value) {
        Some(purpose) => Some(told.map(|_| purpose)),
        None => {
            losses.unknown(told.at);
            None
        }
    });
    for kind in fields.list("embedding_types")? {
        if kind.text().as_deref() != Some("float") {
            losses.note(kind.at, "vectors are told as floats");
        }
    }
    // To cut what is too long at its end is what it does by itself.
    if let Some(truncate) = fields.text("truncate")?.filter(|truncate| truncate.value != "END") {
        losses.note(truncate.at, "how texts that are too long are cut can't be set");
    }
    let dimensions = fields.count("output_dimension")?;
    fields.finish(losses);
    Ok(Request { texts, dimensions, purpose, ..Request::default() })
}

fn purpose(name: &str) -> Option<Purpose> {
    Some(match name {
        "search_document" => Purpose::Document,
        "search_query" => Purpose::Query,
        "classification" => Purpose::Classification,
        "clustering" => Purpose::Clustering,
        _ => return None,
    })
}

pub(super) fn write_request(json: &mut Json, request: Request<'_>, model: &str) {
    let Request { texts, dimensions, purpose, shape: _ } = request;
    // It must be told; who doesn't know of purposes embeds what is to be found.
    let word = match purpose.map(|Field { value, .. }| value) {
        None | Some(Purpose::Document) => "search_document",
        Some(Purpose::Query) => "search_query",
        Some(Purpose::Classification) => "classification",
        Some(Purpose::Clustering) => "clustering",
    };
    json.open('{').key("model").string(model).key("input_type").string(word).key("texts").open('[');
    for text in texts {
        json.string(&text);
    }
    json.close(']').key("embedding_types").open('[').string("float").close(']');
    if let Some(dimensions) = dimensions {
        json.key("output_dimension").count(dimensions.value);
    }
    json.close('}');
}

pub(super) fn read_answer(body: Node<'_>) -> Result<Answer<'_>, Malformed> {
    let mut fields = Fields::of(body)?;
    let mut told = Fields::of(fields.needed("embeddings")?)?;
    let floats = told.list("float")?;
    let list = if floats.is_empty() { told.list("base64")? } else { floats };
    let vectors = list.into_iter().map(Vector::read).collect::<Result<_, _>>()?;
    let meta = fields.take("meta");
    let billed = meta.as_ref().and_then(|meta| meta.member("billed_units"));
    let tokens = billed.and_then(|billed| crate::translate::cohere::count(billed, "input_tokens"));
    Ok(Answer { vectors, tokens })
}

pub(super) fn write_answer(json: &mut Json, answer: &Answer<'_>, context: &EmbeddingContext<'_>) {
    let Answer { vectors, tokens } = answer;
    json.open('{').key("id").string(context.id).key("embeddings").open('{').key("float").open('[');
    for vector in vectors {
        vector.put_list(json);
    }
    json.close(']').close('}').key("response_type").string("embeddings_by_type");
    json.key("meta").open('{').key("api_version").open('{').key("version").string("2").close('}');
    if let Some(tokens) = tokens {
        json.key("billed_units").open('{').key("input_tokens").count(*tokens).close('}');
    }
    json.close('}').close('}');
}
