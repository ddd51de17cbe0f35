//! Anthropic Messages, version 2023-06-01.
//!
//! Field names and types are those of Anthropic's own Python SDK 2.13 (`anthropic/types`), rules of use
//! those of its manual at platform.claude.com.

mod caching;
mod failure;
mod read_answer;
pub(super) mod read_parts;
pub(super) mod read_request;
mod read_stream;
pub(super) mod words;
mod write_answer;
pub(super) mod write_parts;
mod write_request;
pub(super) mod write_settings;
mod write_stream;

use super::codec::{AnswerContext, Codec, StreamReader, StreamWriter, Target};
use super::json::Node;
use super::losses::{Losses, Malformed};
use super::model::{Answer, Failure, Request};
use super::sequence::Interleaving;

/// The dialect.
pub(crate) struct Anthropic;

impl Codec for Anthropic {
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

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(read_stream::Reader::default())
    }

    fn stream_writer(&self, context: &AnswerContext<'_>) -> Box<dyn StreamWriter> {
        Box::new(write_stream::Writer::new(context))
    }

    fn interleaving(&self) -> Interleaving {
        // Blocks have numbers, but clients act on `content_block_stop` for the one that is open.
        Interleaving::Sequential
    }
}
