use super::print::Output;
use crate::config::environment;
use std::path::PathBuf;

/// What every command can be told.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Globals {
    /// The server's data folder [default: TOPDOG_DATA_DIR, else ./topdog-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = HEADING)]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server's configuration file [default: topdog.toml in the data folder, where it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub(crate) config: Option<PathBuf>,
    /// Where the server is [default: what it wrote into run/listen.json of the data folder]
    #[arg(long, global = true, value_name = "URL", help_heading = HEADING)]
    pub(crate) url: Option<String>,
    /// Speak for an organisation, with the Top Dog API key in this file [default: TOPDOG_API_KEY, else the
    /// operator's token in the data folder]
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub(crate) api_key_file: Option<PathBuf>,
    /// PEM certificates to trust beside the public ones
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub(crate) ca_file: Option<PathBuf>,
    /// How answers are printed
    #[arg(long, global = true, value_enum, default_value_t, help_heading = HEADING)]
    pub(crate) output: Output,
}

impl Globals {
    /// The data folder, given or not.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data_dir
            .clone()
            .or_else(|| environment::var("TOPDOG_DATA_DIR").map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("topdog-data"))
    }
}

const HEADING: &str = "Everywhere";
