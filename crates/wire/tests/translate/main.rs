//! Translation between dialects: golden files a pair, the traps by name, and that nothing is lost.
#![cfg(test)]

mod given;
mod golden;
mod lossless;
mod model;
mod scope;
mod traps;
mod traps_answer;
mod traps_stream;
