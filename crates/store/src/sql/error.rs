//! What an engine complains of, in the words of the ports: its own error type never leaves the crate.

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::sqlite::SqliteError;
use topdog_domain::ports::PortError;

/// The port's error for an engine's.
pub(super) fn from_engine(error: sqlx::Error) -> PortError {
    use sqlx::Error as E;
    match error {
        E::RowNotFound => PortError::NotFound,
        E::Database(ref from) => match from.kind() {
            ErrorKind::UniqueViolation => PortError::Conflict(TAKEN),
            ErrorKind::ForeignKeyViolation => PortError::Conflict("what it refers to is gone"),
            _ if is_of_a_value(&**from) => {
                let code = from.code().unwrap_or_default();
                PortError::Corrupt(format!("the database takes no such value (its code {code})"))
            }
            _ => PortError::Unavailable(Box::new(error)),
        },
        E::Encode(_) => PortError::Corrupt("a value that can't be sent to the database".to_owned()),
        E::ColumnDecode { .. }
        | E::ColumnNotFound(_)
        | E::ColumnIndexOutOfBounds { .. }
        | E::TypeNotFound { .. }
        | E::Decode(_) => PortError::Corrupt(error.to_string()),
        _ => PortError::Unavailable(Box::new(error)),
    }
}

/// Is it the fault of a value, so that it fails each time?
fn is_of_a_value(error: &dyn DatabaseError) -> bool {
    if matches!(error.kind(), ErrorKind::NotNullViolation | ErrorKind::CheckViolation) {
        return true;
    }
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // SQLITE_TOOBIG and SQLITE_MISMATCH.
        return code == "18" || code == "20";
    }
    // Data exceptions, such as a text with a NUL in it.
    code.starts_with("22")
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
