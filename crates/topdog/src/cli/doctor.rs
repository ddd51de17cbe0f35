//! `topdog doctor`: looks for what is wrong with this machine and its server, and says how to mend it.
//!
//! It changes nothing but a file that it makes in the spool's folder and takes away again.

mod finding;
mod machine;
mod online;
mod secrets;
mod server;
mod storage;

use super::config;
use super::exit::Exit;
use super::failure::Failure;
use super::globals::Globals;
use super::table::Table;
use crate::config::Loaded;
use finding::{Finding, Level};

/// How far to look.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// Also reach every provider, as the server would, without a key
    #[arg(long)]
    online: bool,
}

pub(super) async fn run(doctor: Doctor, globals: &Globals) -> Result<(), Failure> {
    let findings = match config::load(globals) {
        Ok(loaded) => {
            let mut findings = vec![Finding::ok("config", "every setting is known and makes sense")];
            findings.extend(examine(&loaded, globals, doctor.online).await);
            findings
        }
        Err(failure) => {
            vec![Finding::fail("config", failure.to_string(), "correct the setting that is named")]
        }
    };
    globals.output.answer(&findings, |findings| table(findings))?;
    match findings.iter().filter(|finding| finding.level == Level::Fail).count() {
        0 => Ok(()),
        failed => {
            Err(Failure::with(Exit::Failed, format!("{failed} checks failed; each line says what to do")))
        }
    }
}

async fn examine(loaded: &Loaded, globals: &Globals, online: bool) -> Vec<Finding> {
    let config = &loaded.config;
    let mut findings = secrets::check(config);
    findings.extend(storage::check(config).await);
    findings.extend(machine::check(config));
    findings.extend(server::check(config, globals).await);
    if online {
        findings.extend(online::check(loaded).await);
    }
    findings
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::of_facts([]);
    for Finding { level, check, found, fix } in findings {
        let text = match fix {
            Some(fix) => format!("{found}; {fix}"),
            None => found.clone(),
        };
        table.row([level.name().to_owned(), (*check).to_owned(), text]);
    }
    table
}
