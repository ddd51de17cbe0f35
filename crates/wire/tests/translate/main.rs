//! Translation between dialects: golden files a pair, the traps by name, and that nothing is lost.
#![cfg(test)]

mod frames;
mod given;
mod golden;
mod lossless;
mod model;
mod scope;
mod traps;
mod traps_answer;
mod traps_bedrock;
mod traps_bedrock_stream;
mod traps_stream;
