//! The models that the path of a request names whose API is not known.

use super::canonical;
use topdog_domain::provider::Family;

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

/// Google's resources have their kind before their name.
pub(super) fn plain(name: &str, family: Family) -> String {
    let kind = if family == Family::Gemini { "models/" } else { "" };
    name.strip_prefix(kind).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_behind_what_names_their_kind() {
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
        assert_eq!(plain("models/g", Family::Gemini), "g");
        assert_eq!(plain("models/g", Family::OpenAi), "models/g");
    }
}
