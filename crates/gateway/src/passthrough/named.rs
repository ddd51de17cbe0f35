//! The models that a request names whose API is not known: in its path, and anywhere in its body.

use super::canonical;
use serde_json::Value;
use topdog_domain::provider::Family;

/// Fields that name a model, or models, in one API or another.
const FIELDS: [&str; 9] = [
    "model",
    "models",
    "model_id",
    "modelId",
    "model_name",
    "base_model",
    "baseModel",
    "engine",
    "deployment",
];

/// What stands before a model in paths: OpenAI's and Google's, Azure's, Amazon's.
const BEFORE: [&str; 5] = ["models", "deployments", "model", "engines", "tunedModels"];

/// The models that a path names, without the methods behind them, which Google's have.
pub(super) fn in_path(path: &str, family: Family) -> Vec<String> {
    let Some(path) = canonical(path) else { return Vec::new() };
    let segments: Vec<&str> = path.split('/').collect();
    let named = segments.windows(2).filter_map(|pair| match pair {
        [before, model] if BEFORE.contains(before) && !model.is_empty() => Some(*model),
        _ => None,
    });
    let without_method = |model: &str| match model.rsplit_once(':') {
        Some((model, _)) if family == Family::Gemini => model.to_owned(),
        _ => model.to_owned(),
    };
    named.map(without_method).collect()
}

/// The same of a body that has been checked.
pub(super) fn in_json(body: &[u8], family: Family) -> Vec<String> {
    serde_json::from_slice(body).map(|body| in_body(&body, family)).unwrap_or_default()
}

/// Every model that a body names, however deep.
fn in_body(body: &Value, family: Family) -> Vec<String> {
    let mut found = Vec::new();
    collect(body, family, &mut found);
    found
}

fn collect(value: &Value, family: Family, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, family, found)),
        Value::Object(members) => {
            for (name, value) in members {
                if FIELDS.contains(&name.as_str()) {
                    found.extend(names(value).map(|name| plain(name, family)));
                }
                collect(value, family, found);
            }
        }
        _ => {}
    }
}

/// The names that a field holds: one, or a list of them.
fn names(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    value.as_str().into_iter().chain(list)
}

/// Google's resources have their kind before their name.
pub(super) fn plain(name: &str, family: Family) -> String {
    let kind = if family == Family::Gemini { "models/" } else { "" };
    name.strip_prefix(kind).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn models_are_found_wherever_they_stand() {
        for (path, models) in [
            ("/models/gpt-4o", &["gpt-4o"][..]),
            ("/models/ft:gpt-4o:acme", &["ft:gpt-4o:acme"]),
            ("/mod%65ls/gpt-4%6f", &["gpt-4o"]),
            ("/openai/deployments/mine/chat", &["mine"]),
            ("/model/anthropic.claude-v1%3A0/invoke", &["anthropic.claude-v1:0"]),
            ("/models/a/models/b", &["a", "b"]),
            ("/files/x", &[]),
            ("/models", &[]),
            ("/models/", &[]),
        ] {
            assert_eq!(in_path(path, Family::OpenAi), models, "{path}");
        }
        assert_eq!(in_path("/v1beta/models/gemini-2.5-flash:predict", Family::Gemini), ["gemini-2.5-flash"]);
        let body = json!({"model": "a", "input": [{"model": "b"}], "x": {"y": {"models": ["c", {"model": "d"}]}}, "n": 1});
        let mut found = in_body(&body, Family::OpenAi);
        found.sort();
        assert_eq!(found, ["a", "b", "c", "d"]);
        assert_eq!(in_body(&json!({"model": "models/g"}), Family::Gemini), ["g"]);
        assert_eq!(in_body(&json!({"model": "models/g"}), Family::OpenAi), ["models/g"]);
        assert!(in_body(&json!({"text": "model", "model": null}), Family::OpenAi).is_empty());
    }
}
