//! Nothing that quietly switches a check off, and nothing left for later.

use super::code::{attributes, line_of, words};
use super::tree::{Source, Tree};
use super::violation::Violation;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.sources()
        .flat_map(|source| {
            let mut found = switched_off(&source);
            found.extend(unfinished(&source));
            found
        })
        .collect()
}

fn switched_off(source: &Source<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (offset, body) in attributes(source.code) {
        let line = line_of(source.code, offset);
        for name in names(body) {
            let (rule, remedy) = match name {
                "allow" => {
                    ("allow", "use #[expect(…, reason = \"…\")], which fails when it is no longer needed")
                }
                "ignore" => ("ignore", "make the test run or delete it, an ignored test guards nothing"),
                _ => continue,
            };
            found.push(Violation::new(source.path, line, rule, remedy));
        }
    }
    found
}

/// What an attribute applies, those behind `cfg_attr` included.
fn names(body: &str) -> Vec<&str> {
    let body = body.trim();
    let end = body.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(body.len());
    let (name, arguments) = body.split_at(end);
    if name != "cfg_attr" {
        return vec![name];
    }
    let inside = arguments.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    top_level_items(inside.unwrap_or_default()).into_iter().skip(1).flat_map(names).collect()
}

fn top_level_items(list: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    list.split(|c| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

fn unfinished(source: &Source<'_>) -> Vec<Violation> {
    words(source.code)
        .filter(|(_, word)| matches!(*word, "todo" | "unimplemented"))
        .filter(|(offset, word)| {
            let after = source.code.get(offset + word.len()..).unwrap_or_default().trim_start();
            after.starts_with('!') && !after.starts_with("!=")
        })
        .map(|(offset, word)| {
            let remedy = format!("finish it, or return an error that says what to do instead of {word}!");
            Violation::new(source.path, line_of(source.code, offset), "unfinished", remedy)
        })
        .collect()
}
