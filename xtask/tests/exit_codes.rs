//! What a script sees of `xtask tidy`: 0 where all is well, 1 with the list, 2 where it could not look.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const SENTENCE: &str =
    "//! The repository's own checks: arrows between crates, file sizes, headers, paired migrations.\n";

fn tidy(folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).arg("tidy").current_dir(folder).output().unwrap()
}

fn checkout() -> TempDir {
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("xtask/src")).unwrap();
    fs::write(root.path().join("xtask/Cargo.toml"), "[package]\nname = \"xtask\"\n").unwrap();
    fs::write(root.path().join("xtask/src/main.rs"), SENTENCE).unwrap();
    fs::write(root.path().join("ARCHITECTURE.md"), "xtask\n").unwrap();
    root
}

#[test]
fn a_clean_checkout_is_0_from_any_folder_of_it() {
    let root = checkout();
    for folder in [root.path(), &root.path().join("xtask/src")] {
        let output = tidy(folder);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn a_violation_is_1_and_says_where_and_what_to_do() {
    let root = checkout();
    fs::write(root.path().join("xtask/src/later.rs"), "fn f() {\n    todo!()\n}\n").unwrap();
    let output = tidy(root.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(listed.starts_with("xtask/src/later.rs:2: unfinished: finish it"), "{listed}");
}

#[test]
fn no_checkout_is_2() {
    let elsewhere = TempDir::new().unwrap();
    assert_eq!(tidy(elsewhere.path()).status.code(), Some(2));
}

#[test]
fn another_word_is_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("tidi").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("usage: cargo xtask tidy"));
}
