//! What a caller hears of a body that can't be read. The reader's own messages quote the body, which may hold a
//! key; these never do.

use crate::problem::Problem;
use serde_json::error::Category;
use topdog_domain::Refusal;

/// The problem of a body that is no JSON, or not the JSON that the route takes.
pub(crate) fn body(error: &serde_json::Error) -> Problem {
    let place = format!("line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let (code, message, param) = match error.classify() {
        Category::Data => data(&text, &place),
        _ => ("invalid_json", format!("the body is not valid JSON at {place}; correct it there"), None),
    };
    Refusal::BadBody { message, param, code }.into()
}

fn data(text: &str, place: &str) -> (&'static str, String, Option<String>) {
    if let Some(rest) = text.strip_prefix("unknown field ") {
        let mut names = rest.split('`').skip(1).step_by(2);
        let unknown = names.next().unwrap_or_default();
        let known: Vec<&str> = names.collect();
        let shown = is_plain_name(unknown).then(|| unknown.to_owned());
        let subject = shown.as_ref().map_or("a field".to_owned(), |name| format!("`{name}`"));
        let hint = match nearest(unknown, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are: {}", known.join(", ")),
        };
        return ("unknown_field", format!("{subject} is not known here at {place}; {hint}"), shown);
    }
    for (prefix, code, what) in [
        ("missing field `", "missing_field", "is missing; give it"),
        ("duplicate field `", "duplicate_field", "is there twice; give it once"),
    ] {
        if let Some(name) = text.strip_prefix(prefix).and_then(|rest| rest.split('`').next()) {
            return (code, format!("`{name}` {what}"), Some(name.to_owned()));
        }
    }
    // What is expected comes from our own types; what was found is the caller's, and stays unsaid.
    let expected = text
        .rsplit_once("expected ")
        .and_then(|(_, expected)| expected.split(" at line ").next())
        .map_or(String::new(), |expected| format!(", {expected} is expected there"));
    let own = text
        .split(" at line ")
        .next()
        .filter(|text| text.ends_with(" is expected here"))
        .map(|text| format!(": {text}"));
    let detail = own.unwrap_or(expected);
    ("invalid_field", format!("a value at {place} is not what belongs there{detail}"), None)
}

/// Can the text be a field's name, and surely no key?
fn is_plain_name(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// The known name that shares most with the unknown one; none where all are far off.
fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let pairs = |text: &str| -> Vec<(char, char)> { text.chars().zip(text.chars().skip(1)).collect() };
    let own = pairs(unknown);
    let likeness = |name: &str| {
        let theirs = pairs(name);
        let shared = own.iter().filter(|pair| theirs.contains(pair)).count();
        200 * shared / (own.len() + theirs.len()).max(1)
    };
    known
        .iter()
        .map(|name| (likeness(name), *name))
        .filter(|(likeness, _)| *likeness >= 50)
        .max()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use crate::api::{CreateApiKey, CreateProviderKey};
    use crate::body::parse;

    fn message<T: serde::de::DeserializeOwned>(body: &str) -> (String, &'static str) {
        match parse::<T>(body.as_bytes()) {
            Ok(_) => panic!("this should not be read: {body}"),
            Err(problem) => (problem.to_string(), problem.code()),
        }
    }

    #[test]
    fn the_nearest_field_is_named() {
        let (text, code) = message::<CreateApiKey>(r#"{"name": "ci", "scope": ["llm"]}"#);
        assert_eq!(code, "unknown_field");
        assert!(text.contains("`scope`") && text.contains("did you mean `scopes`?"), "{text}");
    }

    #[test]
    fn missing_and_doubled_fields_are_named() {
        let (text, code) = message::<CreateApiKey>("{}");
        assert_eq!((text.as_str(), code), ("`name` is missing; give it", "missing_field"));
        let (text, code) = message::<CreateApiKey>(r#"{"name": "a", "name": "b"}"#);
        assert_eq!((text.as_str(), code), ("`name` is there twice; give it once", "duplicate_field"));
    }

    #[test]
    fn no_part_of_the_body_is_quoted() {
        let canary = "sk-proj-0123456789abcdef";
        for body in [
            format!(r#"{{"provider": "{canary}", "secret": 1}}"#),
            format!(r#"{{"provider": "openai", "secret": ["{canary}"]}}"#),
            format!(r#"{{"{canary}": "openai"}}"#),
            format!(r#""{canary}""#),
            format!(r#"{{"provider": "openai", "secret": "{canary}"#),
            format!(r#"{{"provider": "openai", "name": {{"{canary}": 1}}}}"#),
        ] {
            let (text, _) = message::<CreateProviderKey>(&body);
            assert!(!text.contains("sk-"), "{text}");
        }
        for body in [
            format!(r#"{{"name": "a", "scopes": ["{canary}"]}}"#),
            format!(r#"{{"name": "a", "mode": "{canary}"}}"#),
            format!(r#"{{"name": "a", "expires_in_seconds": "{canary}"}}"#),
            format!(r#"{{"name": "a", "llm_requests_per_day": "{canary}"}}"#),
            format!(r#"{{"name": "a", "workspace": "{canary}"}}"#),
        ] {
            let (text, _) = message::<CreateApiKey>(&body);
            assert!(!text.contains("sk-"), "{text}");
        }
    }
}
