//! Every rule over one reading of the checkout.

mod architecture;
mod arrows;
mod attributes;
mod code;
mod headers;
mod layout;
mod migrations;
mod names;
mod sizes;
mod tree;
mod violation;

#[cfg(test)]
mod tests;

use std::path::Path;

use tree::Tree;
pub(crate) use violation::Violation;

/// A rule reads the whole tree, so that it can also say what is missing.
type Rule = fn(&Tree) -> Vec<Violation>;

const RULES: [Rule; 7] = [
    arrows::check,
    sizes::check,
    headers::check,
    migrations::check,
    attributes::check,
    names::check,
    architecture::check,
];

/// Every departure from the rules under `root`, by path and line.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let tree = Tree::read(root)?;
    let mut violations: Vec<Violation> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    violations.sort();
    violations.dedup();
    Ok(violations)
}
