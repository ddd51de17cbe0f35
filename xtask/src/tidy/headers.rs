//! Each crate opens with what it is for, in the layout's own words.

use super::layout::Member;
use super::tree::{File, Tree};
use super::violation::Violation;

const RULE: &str = "header";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let folders = tree.member_folders();
    folders
        .iter()
        .filter_map(|folder| Member::of_folder(folder))
        .flat_map(|member| of_member(tree, member))
        .collect()
}

fn of_member(tree: &Tree, member: &Member) -> Vec<Violation> {
    let roots = ["lib.rs", "main.rs"].map(|name| format!("{}/src/{name}", member.folder));
    let present: Vec<&File> = roots.iter().filter_map(|path| tree.get(path)).collect();
    if present.is_empty() {
        let remedy = "add src/lib.rs or src/main.rs with the crate's header";
        return vec![Violation::new(format!("{}/Cargo.toml", member.folder), 1, RULE, remedy)];
    }
    present
        .into_iter()
        .filter(|file| !opening(&file.text).starts_with(member.sentence))
        .map(|file| {
            let remedy = format!("begin with `//! {}`", member.sentence);
            Violation::new(&file.path, 1, RULE, remedy)
        })
        .collect()
}

/// The first paragraph of the header as one line, wherever it was wrapped.
fn opening(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(str::trim).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
