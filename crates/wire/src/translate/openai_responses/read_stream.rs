//! A stream, read: named events, each with its `type` in its data too, until a last one that holds the
//! whole answer.

use super::read_answer::{created, output};
use super::read_stream_item::{Items, Slot};
use super::words;
use crate::translate::codec::{Sink, StreamReader};
use crate::translate::frames::Frames;
use crate::translate::json::{Node, parse};
use crate::translate::model::{Event, Failure, FailureKind};
use crate::translate::openai::failure;

#[derive(Debug, Default)]
pub(super) struct Reader {
    frames: Frames,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    has_started: bool,
    items: Items,
}

impl StreamReader for Reader {
    fn push(&mut self, piece: &[u8], sink: Sink<'_>) {
        let state = &mut self.state;
        self.frames.push(piece, &mut |name, data| state.read(name, data, sink));
    }

    fn held_bytes(&self) -> usize {
        self.frames.held_bytes()
    }

    fn finish(&mut self, sink: Sink<'_>) {
        let state = &mut self.state;
        self.frames.finish(&mut |name, data| state.read(name, data, sink));
    }
}

impl State {
    fn read(&mut self, name: Option<&str>, data: &str, sink: Sink<'_>) {
        // Some who speak this dialect end it as chat ends; what counts is the event before.
        if data.trim_ascii() == "[DONE]" {
            return;
        }
        let Ok(event) = parse(data) else { return sink(Event::Failed(Failure::unreadable_stream())) };
        let told = event.text_of("type");
        let Some(kind) = told.as_deref().or(name) else {
            // An error of whoever stands between, which is in no family's words.
            if let Some(failure) = failure::read_node(None, &event) {
                sink(Event::Failed(failure));
            }
            return;
        };
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => self.start(&event, sink),
            "response.completed" | "response.incomplete" => self.end(&event, sink),
            "response.failed" | "response.cancelled" => fail(&event, sink),
            "error" => sink(Event::Failed(failure::read_node(None, &event).unwrap_or_else(unnamed))),
            "keepalive" => sink(Event::Ping),
            _ => {
                if let Some(output) = event.count_of("output_index") {
                    self.start_unnamed(sink);
                    self.read_piece(kind, output, &event, sink);
                }
            }
        }
    }

    fn start(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let response = event.member("response").unwrap_or(event);
        sink(Event::Started {
            id: response.text_of("id").unwrap_or_default(),
            model: response.text_of("model").unwrap_or_default(),
            created: created(response),
        });
    }

    /// Some begin with the first item.
    fn start_unnamed(&mut self, sink: Sink<'_>) {
        if !std::mem::replace(&mut self.has_started, true) {
            sink(Event::Started { id: "".into(), model: "".into(), created: None });
        }
    }

    fn read_piece(&mut self, kind: &str, output: u64, event: &Node<'_>, sink: Sink<'_>) {
        let content = event.count_of("content_index").unwrap_or(0);
        let summary = event.count_of("summary_index").unwrap_or(0);
        let items = &mut self.items;
        match kind {
            "response.output_item.added" => items.add(output, event.member("item"), sink),
            "response.output_item.done" => items.finish(output, event.member("item"), sink),
            "response.content_part.added" => {
                match event.member("part").and_then(|part| part.text_of("type")).as_deref() {
                    Some("output_text") => items.begin(output, Slot::Text(content), event, sink),
                    Some("refusal") => items.begin(output, Slot::Refusal(content), event, sink),
                    _ => {}
                }
            }
            "response.content_part.done" => {
                items.end(output, Slot::Text(content), sink);
                items.end(output, Slot::Refusal(content), sink);
            }
            "response.output_text.delta" => {
                items.add_text(output, Slot::Text(content), event, "delta", sink);
                items.add_logprobs(event, sink);
            }
            "response.output_text.done" => items.complete(output, Slot::Text(content), event, "text", sink),
            "response.output_text.annotation.added" => items.cite(output, content, event, sink),
            "response.refusal.delta" => {
                items.add_text(output, Slot::Refusal(content), event, "delta", sink);
            }
            "response.refusal.done" => {
                items.complete(output, Slot::Refusal(content), event, "refusal", sink);
            }
            "response.reasoning_summary_text.delta" => {
                items.add_text(output, Slot::Summary(summary), event, "delta", sink);
            }
            "response.reasoning_summary_text.done" => {
                items.complete(output, Slot::Summary(summary), event, "text", sink);
            }
            "response.reasoning_text.delta" => {
                items.add_text(output, Slot::Thought(content), event, "delta", sink);
            }
            "response.reasoning_text.done" => {
                items.complete(output, Slot::Thought(content), event, "text", sink);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                items.add_arguments(output, event, "delta", false, sink);
            }
            "response.function_call_arguments.done" => {
                items.add_arguments(output, event, "arguments", true, sink);
            }
            "response.custom_tool_call_input.done" => {
                items.add_arguments(output, event, "input", true, sink);
            }
            // Steps of a tool of the provider's own; what comes of it is told with its item.
            _ => {}
        }
    }

    fn end(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let response = event.member("response").unwrap_or(event);
        if let Some(failure) = failed(response) {
            return sink(Event::Failed(failure));
        }
        self.start(event, sink);
        // What was told whole only: some tell calls in no other way.
        for (index, item) in output(response).iter().enumerate() {
            self.items.finish(index as u64, Some(item), sink);
        }
        self.items.end_all(sink);
        if let Some(stop) = words::stop(response, self.items.has_calls()) {
            sink(Event::Stopped { choice: 0, stop });
        }
        if let Some(usage) = response.member("usage").and_then(words::usage) {
            sink(Event::Usage(usage));
        }
        sink(Event::Done);
    }
}

/// What a failed answer used is told with it.
fn fail(event: &Node<'_>, sink: Sink<'_>) {
    let response = event.member("response");
    if let Some(usage) = response.and_then(|response| response.member("usage")).and_then(words::usage) {
        sink(Event::Usage(usage));
    }
    sink(Event::Failed(response.and_then(failed).unwrap_or_else(unnamed)));
}

/// The failure that a response tells.
fn failed<'a>(response: &Node<'a>) -> Option<Failure<'a>> {
    response.member("error")?;
    failure::read_node(None, response)
}

fn unnamed<'a>() -> Failure<'a> {
    Failure {
        kind: FailureKind::Server,
        message: "the provider failed and didn't say why".into(),
        code: None,
        param: None,
        request_id: None,
    }
}
