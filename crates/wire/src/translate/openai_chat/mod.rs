//! Not yet.

use super::codec::{AnswerContext, Codec, StreamReader, StreamWriter, Target};
use super::json::Node;
use super::losses::{Losses, Malformed};
use super::model::{Answer, Failure, Request};
use super::sequence::Interleaving;

pub(crate) struct OpenAiChat;

impl Codec for OpenAiChat {
    fn read_request<'a>(&self, body: Node<'a>, _: &mut Losses) -> Result<Request<'a>, Malformed> {
        Err(Malformed::new(body.at, "readable"))
    }
    fn write_request(&self, _: Request<'_>, _: &Target<'_>, _: &mut Losses) -> Vec<u8> {
        unimplemented!()
    }
    fn read_answer<'a>(&self, _: Node<'a>, _: &mut Losses) -> Result<Answer<'a>, Malformed> {
        unimplemented!()
    }
    fn write_answer(&self, _: Answer<'_>, _: &AnswerContext<'_>, _: &mut Losses) -> Vec<u8> {
        unimplemented!()
    }
    fn read_error<'a>(&self, _: u16, _: &'a str) -> Failure<'a> {
        unimplemented!()
    }
    fn write_error(&self, _: &Failure<'_>) -> (u16, Vec<u8>) {
        unimplemented!()
    }
    fn stream_reader(&self) -> Box<dyn StreamReader> {
        unimplemented!()
    }
    fn stream_writer(&self, _: &AnswerContext<'_>) -> Box<dyn StreamWriter> {
        unimplemented!()
    }
    fn interleaving(&self) -> Interleaving {
        Interleaving::Sequential
    }
}
