//! `topdog completions` and `topdog man`: what is made from the definitions of the commands themselves.

use super::failure::Failure;
use super::print;
use clap_complete::Shell;

/// For which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Which pages.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The command whose page to print, such as `api-keys create` [default: topdog itself]
    command: Vec<String>,
}

pub(super) fn completions(completions: &Completions, mut root: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut root, NAME, &mut script);
    print::text(&String::from_utf8_lossy(&script))
}

pub(super) fn man(man: &Man, mut root: clap::Command) -> Result<(), Failure> {
    root.build();
    let mut command = &root;
    for name in &man.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            Failure::usage(format!("there is no command `{name}`; `topdog --help` lists all"))
        })?;
    }
    let title = command.get_display_name().unwrap_or(NAME).to_owned();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(title)
        .render(&mut page)
        .map_err(|error| Failure::failed(format!("the page can't be made: {error}")))?;
    print::text(&String::from_utf8_lossy(&page))
}

const NAME: &str = "topdog";
