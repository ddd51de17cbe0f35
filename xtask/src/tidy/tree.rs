//! The checkout's own text files, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::code;

/// A text file of the checkout.
pub(crate) struct File {
    /// Path from the root, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A Rust file, with comments and literals blanked in `code` so that only what compiles is judged.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    pub(crate) code: &'a str,
}

/// What the rules look at.
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
    code: BTreeMap<String, String>,
}

const READ: [&str; 4] = ["rs", "toml", "sql", "md"];

impl Tree {
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        walk(root, "", &mut files)?;
        let code = files
            .values()
            .filter(|file| file.path.ends_with(".rs"))
            .map(|file| (file.path.clone(), code::only_code(&file.text)))
            .collect();
        let tree = Self { files, code };
        // With nothing to read every rule would pass.
        ensure!(!tree.member_folders().is_empty(), "no crate found under {}", root.display());
        Ok(tree)
    }

    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.code.iter().filter_map(|(path, code)| {
            self.files.get(path).map(|file| Source { path, text: &file.text, code })
        })
    }

    /// Files under a folder, by path.
    pub(crate) fn under(&self, folder: &str) -> impl Iterator<Item = &File> {
        self.files
            .values()
            .filter(move |file| file.path.strip_prefix(folder).is_some_and(|inside| inside.starts_with('/')))
    }

    /// Each folder of `crates/`, and `xtask`.
    pub(crate) fn member_folders(&self) -> BTreeSet<String> {
        let crates = self.under("crates").filter_map(|file| {
            let mut parts = file.path.split('/').skip(1);
            let name = parts.next()?;
            parts.next().map(|_| format!("crates/{name}"))
        });
        let tool = self.get("xtask/Cargo.toml").map(|_| "xtask".to_owned());
        crates.chain(tool).collect()
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut BTreeMap<String, File>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = format!("{prefix}{name}");
        // Links are not followed: the walk would leave the checkout or go round.
        let kind = entry.file_type()?;
        if kind.is_dir() && !is_foreign(folder, name) {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file()
            && READ.iter().any(|end| name.rsplit_once('.').is_some_and(|(_, e)| e == *end))
        {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("cannot read {path}"))?;
            files.insert(path.clone(), File { path, text });
        }
    }
    Ok(())
}

/// Build output, hidden folders and installed packages are not the project's own text.
fn is_foreign(parent: &Path, name: &str) -> bool {
    let is_build_output = name == "target" && parent.join("Cargo.toml").is_file();
    is_build_output || name == "node_modules" || name.starts_with('.')
}
