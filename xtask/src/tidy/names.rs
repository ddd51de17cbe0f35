//! A module is named after its one idea; these names have none.

use super::code::{line_of, words};
use super::tree::{Source, Tree};
use super::violation::Violation;

const RULE: &str = "names";
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "helpers", "helper", "common", "manager", "managers"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.sources()
        .flat_map(|source| {
            let in_path = source.path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
            let mut found: Vec<_> = in_path
                .filter(|name| says_nothing(name))
                .map(|name| Violation::new(source.path, 1, RULE, remedy(name)))
                .collect();
            found.extend(inline_modules(&source));
            found
        })
        .collect()
}

/// A module in braces has no file to be judged by.
fn inline_modules(source: &Source<'_>) -> Vec<Violation> {
    let all: Vec<(usize, &str)> = words(source.code).collect();
    all.iter()
        .zip(all.iter().skip(1))
        .filter(|((_, keyword), (offset, name))| {
            let after = source.code.get(offset + name.len()..).unwrap_or_default();
            *keyword == "mod" && says_nothing(name) && after.trim_start().starts_with('{')
        })
        .map(|(_, (offset, name))| {
            Violation::new(source.path, line_of(source.code, *offset), RULE, remedy(name))
        })
        .collect()
}

fn says_nothing(name: &str) -> bool {
    let last = name.rsplit_once('_').map_or(name, |(_, last)| last);
    EMPTY_NAMES.contains(&last)
}

fn remedy(name: &str) -> String {
    format!("`{name}` names no idea, say what it does")
}
