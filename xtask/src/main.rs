//! The repository's own checks: arrows between crates, file sizes, headers, paired migrations.
//!
//! `cargo xtask tidy` reads the checkout once and lists every place where it departs from the rules of
//! CONTRIBUTING.md. It never changes a file.

mod tidy;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

const USAGE: &str = "usage: cargo xtask tidy";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            // A closed standard error leaves nobody to tell; the exit code still says it.
            let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => report(&tidy::check(&checkout_root()?)?),
        _ => bail!(USAGE),
    }
}

fn report(violations: &[tidy::Violation]) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    for violation in violations {
        writeln!(out, "{violation}")?;
    }
    if violations.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "tidy: {} to put right", violations.len())?;
    Ok(ExitCode::FAILURE)
}

/// The nearest folder upwards that holds this tool, so that it runs from any folder of the checkout.
fn checkout_root() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("cannot read the current folder")?;
    here.ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .context("no checkout found here, run it inside the repository")
}
