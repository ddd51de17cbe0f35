//! OpenAI Responses, as a call without a memory: everything that is said is in the body.
//!
//! Field names and types are those of OpenAI's own Python SDK 3.57 (`openai/types/responses`), rules of
//! use those of its manual at developers.openai.com ("Migrate to the Responses API").
//!
//! # Items
//! Where chat has messages, this dialect has items: messages, reasoning, calls and their results stand
//! side by side. What the model said in a row is one turn here, whatever items it was in. An item that
//! only the provider knows (a search of its own, a reference to an item it keeps) is a native part of
//! that turn; so is, among the settings, whatever needs the provider's memory (`previous_response_id`,
//! `conversation`, `background`), so that every other dialect names it.
//!
//! # Reasoning
//! A summary is a summary, `content` is the reasoning itself, and `encrypted_content` the seal that holds
//! it. It is always asked for, since without a memory nothing else can be sent back, and always given:
//! there the seals of other makers travel as well (see `seal`).
//!
//! # Failure
//! Codex and others wait for a last event `response.failed` and pass a bare `error` over, so the former is
//! what a failure is told as; both are read.

mod answer_frame;
mod items;
mod read_answer;
mod read_item;
mod read_parts;
mod read_request;
mod read_stream;
mod read_stream_item;
mod settings;
mod tools;
mod words;
mod write_answer;
mod write_input;
mod write_output;
mod write_request;
mod write_stream;
mod write_stream_item;

use super::codec::{AnswerContext, Codec, StreamReader, StreamWriter, Target};
use super::json::Node;
use super::losses::{Losses, Malformed};
use super::model::{Answer, Failure, Request};
use super::openai::failure;
use super::sequence::Interleaving;

/// The dialect.
pub(crate) struct OpenAiResponses;

impl Codec for OpenAiResponses {
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
        // Pieces name their item, but items have only ever come one after another.
        Interleaving::Sequential
    }
}
