//! The binary: configuration, wiring, CLI.
fn main() {}
