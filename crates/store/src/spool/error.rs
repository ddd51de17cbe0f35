use std::io;
use std::path::{Path, PathBuf};
use topdog_domain::ports::PortError;

/// Why the spool can't do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process has the folder open.
    #[error(
        "the spool {dir} is open in another process, stop that one or give this node a folder of its own"
    )]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The options contradict each other.
    #[error("the spool can't be set up so: {0}")]
    Options(&'static str),
    /// The file system said no.
    #[error("can't {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// The segments have reached their limit.
    #[error(
        "the spool has reached its {max_bytes} bytes, see why the database takes no records, or allow more"
    )]
    Full {
        /// The limit.
        max_bytes: u64,
    },
    /// Records can't be written just now; they are kept in memory meanwhile.
    #[error("records can't be written to the disk just now, free space on it or mend it")]
    Failing,
    /// A record was dropped a moment ago, so it can't be promised that all are on the disk.
    #[error("records were lost: the disk could not be written and the buffer was full")]
    Lost,
    /// The spool is closed.
    #[error("the spool is closed, this node is stopping")]
    Closed,
    /// The spool was closed while the disk could not be written.
    #[error("the spool was closed with {bytes} bytes of records that could not be written")]
    ClosedWithout {
        /// How much is lost.
        bytes: usize,
    },
}

impl SpoolError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}

impl From<SpoolError> for PortError {
    fn from(error: SpoolError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
