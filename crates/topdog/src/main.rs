//! The binary: configuration, wiring, CLI.

mod cli;
mod config;
mod serve;

use clap::{CommandFactory, Parser};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    /// Run the server
    Serve(serve::ServeArguments),
    #[command(flatten)]
    Cli(cli::Command),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Serve(settings) => serve(&settings, &arguments.globals),
        Command::Cli(command) => cli::run(command, &arguments.globals, Arguments::command()),
    }
}

fn serve(arguments: &serve::ServeArguments, globals: &cli::Globals) -> ExitCode {
    let named =
        globals.data_dir.clone().or_else(|| config::environment::var("TOPDOG_DATA_DIR").map(Into::into));
    let whereabouts = serve::Whereabouts {
        named_data_dir: named,
        default_data_dir: globals.data_dir(),
        config: globals.config.clone(),
    };
    serve::run(arguments, &whereabouts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_defined() {
        Arguments::command().debug_assert();
    }
}
