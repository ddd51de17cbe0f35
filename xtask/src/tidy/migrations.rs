//! Both engines take the same steps, in the same order, under the same names.

use std::collections::BTreeMap;

use super::tree::{File, Tree};
use super::violation::Violation;

const RULE: &str = "migrations";
const STORE: &str = "crates/store";
const ENGINES: [&str; 2] = ["sqlite", "postgres"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    if tree.under(STORE).next().is_none() {
        return Vec::new();
    }
    ENGINES
        .iter()
        .flat_map(|engine| {
            let mut found = unpaired(tree, engine);
            found.extend(misnumbered(tree, engine));
            found
        })
        .collect()
}

fn folder(engine: &str) -> String {
    format!("{STORE}/migrations/{engine}")
}

fn of_engine<'a>(tree: &'a Tree, engine: &str) -> Vec<(&'a str, &'a File)> {
    let folder = folder(engine);
    tree.under(&folder)
        .filter_map(|file| Some((file.path.strip_prefix(&folder)?.strip_prefix('/')?, file)))
        .collect()
}

fn unpaired(tree: &Tree, engine: &str) -> Vec<Violation> {
    let others = ENGINES.iter().filter(|other| **other != engine);
    others
        .flat_map(|other| of_engine(tree, other))
        .filter(|(name, _)| tree.get(&format!("{}/{name}", folder(engine))).is_none())
        .map(|(name, file)| {
            let remedy = format!("write its twin {}/{name}", folder(engine));
            Violation::new(&file.path, 1, RULE, remedy)
        })
        .collect()
}

fn misnumbered(tree: &Tree, engine: &str) -> Vec<Violation> {
    let files = of_engine(tree, engine);
    if files.is_empty() {
        let remedy = "no migration here, an engine without one has no tables";
        return vec![Violation::new(folder(engine), 1, RULE, remedy)];
    }
    let mut found = Vec::new();
    let mut by_number: BTreeMap<usize, Vec<&File>> = BTreeMap::new();
    for (name, file) in files {
        match number(name) {
            Some(number) => by_number.entry(number).or_default().push(file),
            None => found.push(Violation::new(&file.path, 1, RULE, "name it NNNN_what_it_does.sql")),
        }
    }
    for (expected, (number, files)) in (1..).zip(&by_number) {
        for (index, file) in files.iter().enumerate() {
            if index > 0 {
                found.push(Violation::new(&file.path, 1, RULE, "its number is taken, use the next one"));
            } else if *number != expected {
                let remedy = format!("leaves a gap, number it {expected:04}");
                found.push(Violation::new(&file.path, 1, RULE, remedy));
            }
        }
    }
    found
}

fn number(name: &str) -> Option<usize> {
    let (digits, title) = name.strip_suffix(".sql")?.split_once('_')?;
    let is_title =
        !title.is_empty() && title.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_number = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_title && is_number).then(|| digits.parse().ok()).flatten()
}
