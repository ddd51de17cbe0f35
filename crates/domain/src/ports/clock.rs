use crate::Timestamp;

/// What time it is; the only place that a test must replace to move it.
pub trait Clock: Send + Sync {
    /// Now, UTC.
    fn now(&self) -> Timestamp;
}
