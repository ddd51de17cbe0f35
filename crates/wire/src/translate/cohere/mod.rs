//! Cohere chat, version 2.
//!
//! Field names and types are those of Cohere's own Python SDK 7.3 (`cohere/types`, `cohere/v2`), rules of
//! use those of its manual at docs.cohere.com.
//!
//! # What is its own
//! - Documents stand beside the conversation. To other dialects they are documents of the user's last
//!   turn, which the model may cite.
//! - `tool_plan`, what the model means to do with tools, is a summary of its reasoning: so it is told to
//!   clients of other dialects, and so it returns.
//! - Of a usage's two counts, `billed_units` is what is paid; `tokens` counts the provider's own prompt
//!   too.
//! - An answer doesn't name its model, and a stream's last event may say that the answer failed.

mod citations;
mod documents;
mod failure;
mod logprobs;
mod read_answer;
mod read_message;
mod read_request;
mod read_stream;
mod words;
mod write_answer;
mod write_message;
mod write_request;
mod write_settings;
mod write_stream;

use super::codec::{AnswerContext, Codec, StreamReader, StreamWriter, Target};
use super::json::Node;
use super::losses::{Losses, Malformed};
use super::model::{Answer, Failure, Request};
use super::sequence::Interleaving;
pub(super) use failure::put_last_event;
pub(super) use words::{count, usage};

/// The dialect.
pub(crate) struct Cohere;

impl Codec for Cohere {
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
        // Blocks and calls are numbered, but the plan is not, and clients join what comes in a row.
        Interleaving::Sequential
    }
}
