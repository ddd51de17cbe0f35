//! A file that can't be held in one head gets split.

use super::tree::Tree;
use super::violation::Violation;

const RULE: &str = "size";
const MAX_LINES: usize = 500;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let long = tree.sources().filter(|source| !is_test(source.path) && !is_generated(source.text));
    long.filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > MAX_LINES).then(|| {
            let remedy =
                format!("{lines} lines, split it by idea or move its tests out ({MAX_LINES} at most)");
            Violation::new(source.path, MAX_LINES + 1, RULE, remedy)
        })
    })
    .collect()
}

fn is_test(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    name == "tests.rs" || name.ends_with("_tests.rs") || folders.split('/').any(|folder| folder == "tests")
}

/// Generated data says so in its first line, as generators do.
fn is_generated(text: &str) -> bool {
    text.lines().next().is_some_and(|line| line.starts_with("//") && line.contains("@generated"))
}
