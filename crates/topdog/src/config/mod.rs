//! What the operator wants: the defaults, over them a file, the environment and flags, checked as a whole.
//!
//! [`load`] reads the layers into [`Settings`], which know where each value came from, and turns them into a
//! [`Config`], which can't hold a value that makes no sense. Nothing else in the product reads the environment.

mod checked;
mod document;
mod egress;
pub(crate) mod environment;
mod error;
mod labels;
mod limits;
mod nearest;
mod prices;
mod providers;
mod raw;
mod reference;
mod settings;
mod store;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub(crate) use checked::{
    Cleartext, Config, LogConfig, LogFormat, OnFull, RootKeySource, ServerConfig, TlsFiles,
};
pub(crate) use environment::Environment;
pub(crate) use error::ConfigError;
pub(crate) use nearest::nearest;
pub(crate) use providers::ProviderConfig;
pub(crate) use reference::Reference;
pub(crate) use settings::{DEFAULTS, Settings, Source};
pub(crate) use store::StoreUrl;

/// Where to look for settings.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// The data folder.
    pub(crate) data_dir: PathBuf,
    /// The file that was named; without it, `topdog.toml` in the data folder is read where it is there.
    pub(crate) file: Option<PathBuf>,
    /// Settings given as flags: flag, key and value.
    pub(crate) flags: Vec<(String, String, String)>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Checked.
    pub(crate) config: Config,
    /// As given, each with its source.
    pub(crate) settings: Settings,
}

/// Reads and checks all settings.
pub(crate) fn load(sources: &Sources, environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut settings = Settings::defaults()?;
    if let Some(file) = config_file(sources) {
        let text = std::fs::read_to_string(&file)
            .map_err(|source| ConfigError::Unreadable { path: file.clone(), source })?;
        settings.overlay_file(&file, &text)?;
    }
    settings.overlay_environment(environment)?;
    for (flag, key, value) in &sources.flags {
        settings.overlay_text(Source::Flag(flag.clone()), key, value)?;
    }
    let config = Config::check(&settings, &sources.data_dir)?;
    Ok(Loaded { config, settings })
}

fn config_file(sources: &Sources) -> Option<PathBuf> {
    let in_data_dir = sources.data_dir.join(FILE_NAME);
    sources.file.clone().or_else(|| Path::new(&in_data_dir).exists().then_some(in_data_dir))
}

const FILE_NAME: &str = "topdog.toml";
