//! `topdog apply`: makes organisations and what they own be as a file says, as often as one likes.
//!
//! [`file`] is what is wanted, [`present`] what is there; [`plan`] compares them without doing anything;
//! [`difference`] shows the result, [`carry_out`] does it. Nothing secret passes through the first four.

mod carry_out;
mod difference;
mod entry;
mod file;
mod plan;
mod policy;
mod present;
#[cfg(test)]
mod tests;

use super::exit::Exit;
use super::failure::Failure;
use super::print::{self, Output};
use super::session::Session;
use carry_out::{CarriedOut, NewSecret, carry_out};
use difference::Difference;
use file::OrgFile;
use plan::{SecretFileState, plan};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Which file, and how far to go.
#[derive(Debug, clap::Args)]
pub(crate) struct Apply {
    /// What is wanted
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Show the difference and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Also revoke and delete the keys, endpoints and policies that the file does not name, of the organisations that it
    /// names; organisations themselves are only ever deleted by `orgs delete`
    #[arg(long)]
    prune: bool,
}

pub(super) async fn run(apply: Apply, session: &Session) -> Result<(), Failure> {
    let wanted = OrgFile::read(&apply.file)?;
    let folder = apply.file.parent().unwrap_or(Path::new(""));
    let mut entries = Vec::new();
    for organisation in &wanted.organisation {
        let present = present::find(session, organisation).await?;
        let state = |file: &Path| SecretFileState::of(&folder.join(file));
        entries.extend(plan(organisation, present.as_ref(), &state, apply.prune));
    }
    entries.extend(present::unlisted(session, &wanted).await?);
    let difference = Difference::of(&entries);
    if session.output == Output::Table {
        print::text(&difference)?;
    }
    let carried_out = if difference.is_blocked() {
        let why = "nothing was changed: what is marked ! stands in the way";
        CarriedOut { failure: Some(Failure::with(Exit::Conflict, why)), ..Default::default() }
    } else if apply.dry_run {
        CarriedOut::default()
    } else {
        carry_out(entries, session, folder).await
    };
    finish(&difference, carried_out, session.output)
}

/// What came of it, for programs.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    difference: &'a Difference,
    carried_out_steps: usize,
    secrets: &'a [NewSecret],
}

fn finish(difference: &Difference, carried_out: CarriedOut, output: Output) -> Result<(), Failure> {
    let CarriedOut { steps, secrets, failure } = carried_out;
    if output == Output::Json {
        print::json(&Report { difference, carried_out_steps: steps, secrets: &secrets })?;
    }
    match failure {
        Some(failure) if steps > 0 => Err(failure
            .about(format_args!("{steps} steps were carried out, then one failed (run it again to go on)"))),
        Some(failure) => Err(failure),
        None => {
            if steps > 0 {
                print::note(&format_args!("{steps} steps carried out"));
            }
            Ok(())
        }
    }
}
