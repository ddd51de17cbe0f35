//! Who may know whom: the arrows between the packages of this workspace.

use toml::{Table, Value};

use super::code::{line_of, words};
use super::layout::{MEMBERS, Member};
use super::tree::{File, Tree};
use super::violation::Violation;

const RULE: &str = "arrows";
const SECTIONS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let workspace = workspace_dependencies(tree);
    let mut found = Vec::new();
    for folder in tree.member_folders() {
        let path = format!("{folder}/Cargo.toml");
        match (Member::of_folder(&folder), tree.get(&path)) {
            (Some(member), Some(manifest)) => found.extend(manifest_arrows(member, manifest, &workspace)),
            (None, _) => found.push(Violation::new(
                path,
                1,
                RULE,
                "not in the layout, add the crate with its sentence and arrows to xtask/src/tidy/layout.rs",
            )),
            (_, None) => found.push(Violation::new(path, 1, RULE, "a folder of crates/ must be a package")),
        }
    }
    found.extend(source_arrows(tree));
    found
}

fn manifest_arrows(member: &Member, manifest: &File, workspace: &Table) -> Vec<Violation> {
    let table: Table = match manifest.text.parse() {
        Ok(table) => table,
        Err(_) => return vec![Violation::new(&manifest.path, 1, RULE, "not TOML, put it right")],
    };
    let mut found = Vec::new();
    let name = table.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    if name != Some(member.package) {
        let remedy = format!("name the package {}, the arrows go by name", member.package);
        found.push(Violation::new(&manifest.path, 1, RULE, remedy));
    }
    for (key, specification) in dependencies(&table) {
        let package = package_name(key, specification, workspace);
        if is_ours(package) && !member.may_depend_on(package) {
            let line = line_of_key(&manifest.text, key);
            found.push(Violation::new(&manifest.path, line, RULE, refusal(member, package)));
        }
    }
    found
}

/// Every dependency of every kind, platform-specific ones included.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let platforms = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    std::iter::once(manifest)
        .chain(platforms)
        .flat_map(|table| SECTIONS.iter().filter_map(|section| table.get(*section)?.as_table()))
        .flatten()
}

/// A dependency may be renamed where it is used, or in the workspace's table.
fn package_name<'a>(key: &'a str, specification: &'a Value, workspace: &'a Table) -> &'a str {
    let is_inherited = specification.get("workspace").and_then(Value::as_bool) == Some(true);
    let specification = if is_inherited { workspace.get(key) } else { Some(specification) };
    specification.and_then(|value| value.get("package")).and_then(Value::as_str).unwrap_or(key)
}

fn workspace_dependencies(tree: &Tree) -> Table {
    let root = tree.get("Cargo.toml").and_then(|manifest| manifest.text.parse::<Table>().ok());
    root.as_ref()
        .and_then(|table| table.get("workspace")?.get("dependencies")?.as_table().cloned())
        .unwrap_or_default()
}

/// A path written out in code needs no line in a manifest to be seen, so it is checked by itself.
fn source_arrows(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in tree.sources() {
        let Some(member) = Member::of_path(source.path) else {
            continue;
        };
        for (offset, word) in words(source.code) {
            let named = MEMBERS.iter().find(|other| is_crate_name(other, word));
            if let Some(other) = named.filter(|other| !member.may_depend_on(other.package)) {
                let line = line_of(source.code, offset);
                found.push(Violation::new(source.path, line, RULE, refusal(member, other.package)));
            }
        }
    }
    found
}

/// The bare words `topdog` and `xtask` name no crate in code: neither is a library.
fn is_crate_name(member: &Member, word: &str) -> bool {
    word.strip_prefix("topdog_").is_some_and(|tail| member.package.strip_prefix("topdog-") == Some(tail))
}

fn is_ours(package: &str) -> bool {
    package.starts_with("topdog-") || MEMBERS.iter().any(|member| member.package == package)
}

fn refusal(member: &Member, package: &str) -> String {
    format!(
        "{} must not know {package}, it may use {}; put a port into the domain and wire it in the binary",
        member.package,
        member.allowance()
    )
}

fn line_of_key(manifest: &str, key: &str) -> usize {
    let names_key = |line: &str| {
        let line = line.trim_start();
        let tail = line.trim_start_matches(['"', '\'']).strip_prefix(key);
        let starts =
            tail.is_some_and(|tail| !tail.starts_with(|c: char| c.is_alphanumeric() || "-_".contains(c)));
        let is_section = line.starts_with('[') && line.trim_end().ends_with(&format!(".{key}]"));
        starts || is_section
    };
    manifest.lines().position(names_key).map_or(1, |index| index + 1)
}
