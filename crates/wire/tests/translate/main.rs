//! Translation between dialects: golden files a pair, the traps by name, and that nothing is lost.
#![cfg(test)]

mod frames;
mod given;
mod golden;
mod lossless;
mod model;
mod published;
mod scale;
mod scope;
mod traps;
mod traps_answer;
mod traps_bedrock;
mod traps_bedrock_stream;
mod traps_cohere;
mod traps_cohere_stream;
mod traps_gemini;
mod traps_gemini_stream;
mod traps_responses;
mod traps_responses_stream;
mod traps_stream;
