//! Amazon Bedrock's Converse and ConverseStream.
//!
//! Field names and types are those of the service's own model (`bedrock-runtime` 2023-09-30, as botocore
//! 1.44 carries it), rules of use those of the Bedrock user guide at docs.aws.amazon.com. The model and
//! whether a stream is wanted stand in the path, not in the body; a stream is binary
//! ([`event_stream`](crate::event_stream)).
//!
//! # What its models say
//! Converse has words of its own for what all models share; the rest goes into
//! `additionalModelRequestFields` in the words of the model's maker. Of these, Claude's `thinking` and
//! `top_k` are read and written; who routes to other models says so in
//! [`ModelTraits`](super::ModelTraits).
//!
//! # Seals
//! A `signature` is Anthropic's own: its manual ("Extended thinking") says that one made on Bedrock holds
//! elsewhere. `redactedContent`, of which nobody says that, belongs to Bedrock. Seals of other makers travel
//! to clients as [`seal`](super::seal) says; in `redactedContent`, which is bytes, in base64.

mod failure;
mod marks;
mod read_answer;
mod read_parts;
mod read_request;
mod read_stream;
mod redacted;
mod words;
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

/// The dialect.
pub(crate) struct BedrockConverse;

impl Codec for BedrockConverse {
    fn read_request<'a>(&self, body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed> {
        read_request::read(body, losses)
    }

    fn write_request(&self, request: Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Vec<u8> {
        write_request::write(request, target, losses)
    }

    fn read_answer<'a>(&self, body: Node<'a>, losses: &mut Losses) -> Result<Answer<'a>, Malformed> {
        read_answer::read(body, losses)
    }

    fn write_answer(&self, answer: Answer<'_>, _: &AnswerContext<'_>, losses: &mut Losses) -> Vec<u8> {
        write_answer::write(answer, losses)
    }

    fn read_error<'a>(&self, status: u16, body: &'a str) -> Failure<'a> {
        failure::read(status, body)
    }

    fn write_error(&self, failure: &Failure<'_>) -> (u16, Vec<u8>) {
        failure::write(failure)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(read_stream::Reader::default())
    }

    fn stream_writer(&self, _: &AnswerContext<'_>) -> Box<dyn StreamWriter> {
        Box::new(write_stream::Writer::default())
    }

    fn interleaving(&self) -> Interleaving {
        // Every piece says its block's index, but Bedrock itself never interleaves and clients rely on it.
        Interleaving::Sequential
    }
}
