use super::environment::Environment;
use std::path::PathBuf;

/// Where a secret is kept; the configuration never holds one itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A variable of the environment.
    Variable(String),
    /// A file's content, without white space at its ends.
    File(PathBuf),
}

/// The secret is not where the reference says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadReference {
    /// There is no such variable.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// The file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
}

impl Reference {
    /// `env:NAME` or `file:PATH`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            return (!name.is_empty()).then(|| Self::Variable(name.to_owned()));
        }
        let path = text.strip_prefix("file:")?;
        (!path.is_empty()).then(|| Self::File(PathBuf::from(path)))
    }

    /// The secret itself.
    pub(crate) fn resolve(&self, environment: &Environment) -> Result<String, BadReference> {
        match self {
            Self::Variable(name) => {
                environment.get(name).map(str::to_owned).ok_or_else(|| BadReference::NotSet(name.clone()))
            }
            Self::File(path) => std::fs::read_to_string(path)
                .map(|text| text.trim().to_owned())
                .map_err(|source| BadReference::Unreadable { path: path.clone(), source }),
        }
    }
}
