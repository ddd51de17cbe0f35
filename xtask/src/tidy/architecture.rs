//! The map shows every crate there is.

use super::tree::Tree;
use super::violation::Violation;

const RULE: &str = "architecture";
const MAP: &str = "ARCHITECTURE.md";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let map = tree.get(MAP).map_or("", |file| file.text.as_str());
    tree.member_folders()
        .into_iter()
        .filter(|folder| !mentions(map, folder))
        .map(|folder| Violation::new(MAP, 1, RULE, format!("say what {folder} is for")))
        .collect()
}

fn mentions(map: &str, folder: &str) -> bool {
    let continues_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    map.match_indices(folder).any(|(at, _)| {
        let after = map.get(at + folder.len()..).and_then(|rest| rest.chars().next());
        !after.is_some_and(continues_name)
    })
}
