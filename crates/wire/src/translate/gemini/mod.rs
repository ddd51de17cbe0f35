//! Google's Gemini: `models/{model}:generateContent` and `:streamGenerateContent`, version v1beta.
//!
//! Field names and types are those of Google's own Python SDK 3.6.1 (`google/genai/types.py`), rules of use
//! those of its manual at ai.google.dev. Names are read in camel case and in snake case, and one value
//! where a list is meant, since Google's own parser takes both and its examples use both.
//!
//! # Calls without ids
//! Older models give calls no ids and clients return results by name. A request's calls are given ids in
//! their order ([`calls`]); an answer's are left to [`call_id`](super::call_id), as for any provider.
//!
//! # Thought signatures
//! `thoughtSignature` may be on any part and must return as it came, on the part on which it came. On a
//! thought or a call it is that part's seal. On a text it is told as a withheld reasoning of its own behind
//! the text, since other dialects have a place for that and none for a sealed text, and it is put back on
//! the text when it returns. A signed picture stays whole as a part that only its maker knows. Seals of
//! other makers travel within the field ([`seal`]).

mod calls;
mod failure;
mod frames;
mod logprobs;
mod read_answer;
mod read_parts;
mod read_request;
mod read_settings;
mod read_stream;
mod schema;
mod seal;
mod sources;
pub(super) mod words;
mod write_answer;
mod write_parts;
mod write_request;
mod write_settings;
mod write_stream;

use super::codec::{AnswerContext, Codec, StreamReader, StreamWriter, Target};
use super::json::Node;
use super::losses::{Losses, Malformed};
use super::model::{Answer, Failure, Request};
use super::sequence::Interleaving;
use std::time::Duration;

pub(super) use words::usage;

/// The dialect.
pub(crate) struct Gemini;

impl Codec for Gemini {
    fn read_request<'a>(&self, body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
        read_request::read(body, losses)
    }

    fn write_request(&self, request: Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Vec<u8> {
        write_request::write(request, target, losses)
    }

    fn read_answer<'a>(&self, body: Node<'a>, losses: &mut Losses) -> Result<Answer<'a>, Malformed> {
        read_answer::read(body, losses)
    }

    fn write_answer(&self, answer: Answer<'_>, context: &AnswerContext<'_>, losses: &mut Losses) -> Vec<u8> {
        write_answer::write(answer, context, losses)
    }

    fn read_error<'a>(&self, status: u16, body: &'a str) -> Failure<'a> {
        failure::read(status, body)
    }

    fn write_error(&self, failure: &Failure<'_>) -> (u16, Vec<u8>) {
        failure::write(failure)
    }

    fn retry_after(&self, body: &str) -> Option<Duration> {
        failure::retry_after(body)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(read_stream::Reader::default())
    }

    fn stream_writer(&self, context: &AnswerContext<'_>) -> Box<dyn StreamWriter> {
        Box::new(write_stream::Writer::new(context))
    }

    fn interleaving(&self) -> Interleaving {
        // Calls come whole, so that each waits for its own end and no part for another's.
        Interleaving::Followed
    }
}
