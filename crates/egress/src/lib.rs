//! The only way out: one guarded HTTP client for every target that a customer can influence.
