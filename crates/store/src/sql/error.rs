//! What an engine complains of, in the words of the ports: its own error type never leaves the crate.

use sqlx::error::ErrorKind;
use topdog_domain::ports::PortError;

/// The port's error for an engine's.
pub(super) fn from_engine(error: sqlx::Error) -> PortError {
    use sqlx::Error as E;
    match error {
        E::RowNotFound => PortError::NotFound,
        E::Database(ref from) => match from.kind() {
            ErrorKind::UniqueViolation => PortError::Conflict(TAKEN),
            ErrorKind::ForeignKeyViolation => PortError::Conflict("what it refers to is gone"),
            _ => PortError::Unavailable(Box::new(error)),
        },
        E::ColumnDecode { .. }
        | E::ColumnNotFound(_)
        | E::ColumnIndexOutOfBounds { .. }
        | E::TypeNotFound { .. }
        | E::Decode(_) => PortError::Corrupt(error.to_string()),
        _ => PortError::Unavailable(Box::new(error)),
    }
}

const TAKEN: &str = "something of that name or id is there already";

/// Says what is taken, where something is.
pub(super) fn taken(what: &'static str) -> impl FnOnce(PortError) -> PortError {
    move |error| match error {
        PortError::Conflict(TAKEN) => PortError::Conflict(what),
        other => other,
    }
}

/// The error of a column whose content is not what it should be; says nothing of the content.
pub(super) fn corrupt(column: &'static str) -> PortError {
    PortError::Corrupt(format!("column {column}"))
}
