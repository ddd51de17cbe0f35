//! The only place that prints. Answers go to standard output, everything else to standard error.

use super::failure::Failure;
use super::table::{Table, printable};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// In what form answers are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

impl Output {
    /// Prints an answer: as it is in JSON, or as the table that `table` makes of it.
    pub(crate) fn answer<T: Serialize>(
        self,
        answer: &T,
        table: impl FnOnce(&T) -> Table,
    ) -> Result<(), Failure> {
        match self {
            Self::Table => text(&table(answer)),
            Self::Json => json(answer),
        }
    }
}

/// Prints an answer for programs.
pub(crate) fn json(answer: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(answer)
        .map_err(|_| Failure::failed("the answer can't be written as JSON"))?;
    text(&format_args!("{json}\n"))
}

/// Prints an answer that is a text already. Whoever reads it may stop reading, as `head` does.
pub(crate) fn text(text: &impl Display) -> Result<(), Failure> {
    match write_out(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output can't be written to: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints what is shown only this once; that it did not arrive is a failure.
pub(crate) fn secret(secret: &str) -> Result<(), Failure> {
    write_out(&format_args!("{secret}\n")).map_err(|error| {
        Failure::failed(format!(
            "the new key's secret could not be printed and is lost ({error}); rotate the key to get another"
        ))
    })
}

/// Prints what people should know and programs need not.
pub(crate) fn note(note: &(impl Display + ?Sized)) {
    // That the terminal is gone is no reason to fail.
    let _ = writeln!(io::stderr().lock(), "{}", lines_printable(&note.to_string()));
}

/// Prints why the command failed.
pub(crate) fn failure(failure: &Failure) {
    note(&format_args!("error: {failure}"));
}

fn lines_printable(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

fn write_out(text: &impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    out.flush()
}
