//! A policy in a file.

use crate::cli::failure::Failure;
use std::path::Path;
use topdog_domain::policy::PolicyDocument;

/// Reads TOML, or JSON where the file's name says so. What the policy says is judged by the server.
pub(super) fn read(path: &Path) -> Result<PolicyDocument, Failure> {
    let bad = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| bad(format!("can't be read: {error}")))?;
    parse(&text, path.extension().is_some_and(|ending| ending == "json")).map_err(bad)
}

fn parse(text: &str, is_json: bool) -> Result<PolicyDocument, String> {
    if is_json {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = "allow = [\"openai/*\"]\ndeny = [\"gpt-3*\"]\n[aliases]\nfast = \"openai/gpt-4o-mini\"\n";
        let json = r#"{"aliases":{"fast":"openai/gpt-4o-mini"},"allow":["openai/*"],"deny":["gpt-3*"]}"#;
        assert_eq!(parse(toml, false), parse(json, true));
        assert_eq!(serde_json::to_string(&parse(toml, false).unwrap()).unwrap(), json);
    }

    #[test]
    fn the_manuals_examples_are_policies() {
        let manual = include_str!("../../../../../docs/policies.md");
        let mut examples = Vec::new();
        for line in manual.lines() {
            match line.strip_prefix("    ") {
                Some(line) => {
                    examples.last_mut().map_or((), |example: &mut String| *example += &format!("{line}\n"))
                }
                None if line.is_empty() => {}
                None => examples.push(String::new()),
            }
        }
        examples.retain(|example| example.contains("[[routes]]"));
        assert_eq!(examples.len(), 2);
        for example in examples {
            let document = parse(&example, false).unwrap();
            let policy = topdog_domain::policy::Policy::check(document).unwrap();
            assert_eq!(policy.routes().len(), 1);
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let toml = parse("fallbacks = []", false).unwrap_err();
        assert!(toml.contains("unknown field `fallbacks`") && toml.contains("`aliases`"), "{toml}");
        assert!(parse(r#"{"fallbacks":[]}"#, true).is_err());
    }
}
