//! The binary: configuration, wiring, CLI.

mod cli;
mod config;

use clap::{CommandFactory, Parser};
use std::process::ExitCode;

/// An LLM gateway: your customers' own provider keys, their tiers, one API.
#[derive(Debug, Parser)]
#[command(name = "topdog", version, after_help = cli::EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    globals: cli::Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(flatten)]
    Cli(cli::Command),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Cli(command) => cli::run(command, &arguments.globals, Arguments::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_defined() {
        Arguments::command().debug_assert();
    }
}
