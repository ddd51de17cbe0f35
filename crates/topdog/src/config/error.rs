use super::settings::Source;
use std::path::PathBuf;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// The file is not TOML.
    #[error("{place}: {message}")]
    Syntax { place: Source, message: String },
    /// There is no such setting.
    #[error("{place}: there is no setting `{key}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownKey { place: Source, key: String, nearest: Option<String> },
    /// The setting takes another kind of value.
    #[error("{place}: `{key}` takes {expected}")]
    WrongType { place: Source, key: String, expected: &'static str },
    /// The value makes no sense.
    #[error("{place}: `{key}` {why}")]
    BadValue { place: Source, key: String, why: String },
    /// The built-in defaults are broken; the tests rule that out.
    #[error("the built-in defaults can't be read: {0}")]
    Defaults(String),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!(", did you mean `{nearest}`?"),
        None => ", `topdog config show` lists all".to_owned(),
    }
}
