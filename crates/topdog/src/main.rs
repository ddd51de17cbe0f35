//! The binary: configuration, wiring, CLI.
mod config;

fn main() {}
