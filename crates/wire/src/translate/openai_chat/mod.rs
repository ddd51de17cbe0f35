//! OpenAI chat completions, as OpenAI and those who speak like it send them.
//!
//! Field names and types are those of OpenAI's own Python SDK 3.57 (`openai/types/chat`).
//!
//! # Reasoning
//! OpenAI's own chat shows none. Where another provider's does, it is told as OpenRouter's manual
//! ("Reasoning tokens") has it: `reasoning`, its text, and `reasoning_details`, a list of
//! `{"type": "reasoning.text" | "reasoning.summary" | "reasoning.encrypted", "text" | "summary" | "data",
//! "signature", "id", "format", "index"}`. A client that sends an assistant's message back with its
//! `reasoning_details` as they were gives the provider its signatures byte for byte. Ours have one field
//! more, `position`: the part's place among all parts of the message, which chat otherwise can't tell.
//! DeepSeek's `reasoning_content` is read, and so is `cache_control` on a part, as others have it.

mod details;
mod read_answer;
mod read_message;
mod read_parts;
mod read_request;
mod read_stream;
mod words;
mod write_answer;
mod write_message;
mod write_parts;
mod write_request;
mod write_stream;

use super::codec::{AnswerContext, Codec, StreamReader, StreamWriter, Target};
use super::json::Node;
use super::losses::{Losses, Malformed};
use super::model::{Answer, Failure, Request};
use super::openai::failure;
use super::sequence::Interleaving;

/// The dialect.
pub(crate) struct OpenAiChat;

impl Codec for OpenAiChat {
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
        Interleaving::Followed
    }
}
