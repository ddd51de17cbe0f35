//! `topdog config`: what the server would be told, and by whom.

use super::failure::Failure;
use super::globals::Globals;
use super::print::{self, Output};
use super::table::Table;
use crate::config::{self, Environment, Loaded, Sources};
use serde::Serialize;
use std::collections::BTreeMap;
use topdog_domain::catalogue::Entries;

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check that the server would start with it
    Check,
    /// Show every setting in force
    Show {
        /// Also where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Print the commented defaults, which are the manual
    Defaults,
}

pub(super) fn run(command: &ConfigCommand, globals: &Globals) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check => {
            let loaded = load(globals)?;
            if let Some(entries) = &loaded.config.prices {
                print::note(&priced(entries));
            }
            print::note("the configuration is good");
            Ok(())
        }
        ConfigCommand::Show { origin } => show(&load(globals)?, *origin, globals.output),
        ConfigCommand::Defaults => print::text(&config::DEFAULTS),
    }
}

/// What the operator's own prices are.
fn priced(entries: &Entries) -> String {
    let names: Vec<String> =
        entries.models().iter().map(|model| format!("{}/{}", model.provider, model.name)).collect();
    let shown = names.iter().take(MOST_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let rest = match names.len().checked_sub(MOST_SHOWN) {
        None | Some(0) => String::new(),
        Some(rest) => format!(" and {rest} more"),
    };
    format!("prices.file holds for {shown}{rest}")
}

/// Models that are named; more are counted.
const MOST_SHOWN: usize = 20;

/// The configuration that the server would start with.
pub(super) fn load(globals: &Globals) -> Result<Loaded, Failure> {
    let data_dir = globals.data_dir();
    // As the server does: paths of the configuration begin with it.
    let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
    let sources = Sources { data_dir, file: globals.config.clone(), flags: Vec::new() };
    config::load(&sources, &Environment::of_process()).map_err(|error| Failure::usage(error.to_string()))
}

#[derive(Serialize)]
struct Shown {
    value: toml::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
}

fn show(loaded: &Loaded, with_origin: bool, output: Output) -> Result<(), Failure> {
    let settings = loaded.settings.iter().map(|(key, setting)| {
        let origin = with_origin.then(|| setting.source.to_string());
        (key, Shown { value: masked(&setting.value), origin })
    });
    let settings: BTreeMap<&str, Shown> = settings.collect();
    output.answer(&settings, |settings| {
        let mut table = Table::of_facts([]);
        for (key, Shown { value, origin }) in settings {
            match origin {
                Some(origin) => table.row([format!("{key} = {value}"), format!("# {origin}")]),
                None => table.row([format!("{key} = {value}")]),
            }
        }
        table
    })
}

/// Secrets are given by reference, which may be shown; what stands before an `@` in a URL may be a password all
/// the same.
fn masked(value: &toml::Value) -> toml::Value {
    match value {
        toml::Value::String(text) => toml::Value::String(without_user(text)),
        toml::Value::Array(items) => toml::Value::Array(items.iter().map(masked).collect()),
        toml::Value::Table(table) => {
            toml::Value::Table(table.iter().map(|(key, value)| (key.clone(), masked(value))).collect())
        }
        other => other.clone(),
    }
}

fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_password_is_masked() {
        for (given, shown) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("https://user:canary@host/v1", "https://***@host/v1"),
            ("postgres://canary@host:5432/topdog?a=b@c", "postgres://***@host:5432/topdog?a=b@c"),
            ("env:DATABASE_URL", "env:DATABASE_URL"),
            ("https://host/@me", "https://host/@me"),
        ] {
            assert_eq!(without_user(given), shown);
        }
    }

    #[test]
    fn every_setting_is_shown_with_where_it_comes_from() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("topdog.toml"), "[log]\nlevel = \"debug\"\n").expect("written");
        let globals = Globals { data_dir: Some(folder.path().to_owned()), ..Globals::default() };
        let loaded = load(&globals).expect("good");
        let (_, level) = loaded.settings.iter().find(|(key, _)| *key == "log.level").expect("there");
        assert!(level.source.to_string().ends_with("topdog.toml:2"), "{}", level.source);
    }
}
