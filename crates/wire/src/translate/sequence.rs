//! Parts of a stream put in order, for clients that follow one part at a time.

use super::model::{Delta, Event, PartStart};
use std::collections::{BTreeMap, VecDeque};

/// Can a client follow parts whose pieces come interleaved?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interleaving {
    /// Yes: each piece says to which part it belongs.
    Followed,
    /// No: a part must be over before the next begins.
    Sequential,
}

/// Gives a stream's events on such that in each choice only one part is open at a time, numbered from 0
/// without gaps.
///
/// A provider that names parts in every piece (chat) may start one tool call before it has finished
/// another. Whether a call is finished is seen from its arguments: they are one JSON object. So a call
/// that is whole is closed when the next part begins, which is the rule and costs no wait; only where it
/// isn't is the next one held back until it is.
#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    choices: BTreeMap<u32, Lane>,
}

/// One choice.
#[derive(Debug, Default)]
struct Lane {
    choice: u32,
    /// The part that is open: the reader's number of it, and what is known of it.
    open: Option<Open>,
    /// How many parts have begun.
    begun: u32,
    /// What is held back, for later parts, by their numbers: each event is moved once, however many wait.
    held: BTreeMap<u32, Vec<Event<'static>>>,
    /// The parts of it, in the order in which they came.
    waiting: VecDeque<u32>,
    /// About how much that is, bytes.
    held_bytes: usize,
}

#[derive(Debug)]
struct Open {
    index: u32,
    /// Of a tool call, how far its arguments are; none for other parts.
    arguments: Option<Progress>,
}

impl Sequencer {
    pub(crate) fn push(&mut self, event: Event<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        match event {
            Event::PartStarted { choice, .. }
            | Event::Delta { choice, .. }
            | Event::PartEnded { choice, .. } => {
                self.lane(choice).push(event, sink);
            }
            Event::Stopped { choice, .. } => {
                self.lane(choice).flush(sink);
                sink(event);
            }
            Event::Done => {
                for lane in self.choices.values_mut() {
                    lane.flush(sink);
                }
                sink(event);
            }
            Event::Started { .. }
            | Event::Logprobs { .. }
            | Event::Usage(_)
            | Event::Ping
            | Event::Failed(_) => sink(event),
        }
    }

    /// About how many bytes are held back.
    pub(crate) fn held_bytes(&self) -> usize {
        self.choices.values().map(|lane| size_of::<Lane>() + lane.held_bytes).sum()
    }

    fn lane(&mut self, choice: u32) -> &mut Lane {
        self.choices.entry(choice).or_insert_with(|| Lane { choice, ..Lane::default() })
    }
}

impl Lane {
    fn push(&mut self, event: Event<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if self.is_held(&event) {
            self.hold(event);
            return;
        }
        let ended = matches!(event, Event::PartEnded { .. });
        self.pass(event, sink);
        if ended {
            self.release(sink);
        }
    }

    fn hold(&mut self, event: Event<'_>) {
        let Some(part) = number(&event) else { return };
        self.held_bytes += bytes_of(&event);
        let held = self.held.entry(part).or_insert_with(|| {
            self.waiting.push_back(part);
            Vec::new()
        });
        held.push(event.into_owned());
    }

    /// Must it wait: does it belong to another part than the open one, and is that not over?
    fn is_held(&self, event: &Event<'_>) -> bool {
        let Some(open) = &self.open else { return false };
        let is_own = number(event) == Some(open.index) && !matches!(event, Event::PartStarted { .. });
        if is_own {
            return false;
        }
        let is_over = open.arguments.as_ref().is_none_or(Progress::is_whole);
        !self.held.is_empty() || !is_over || !matches!(event, Event::PartStarted { .. })
    }

    fn pass(&mut self, event: Event<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let choice = self.choice;
        match event {
            Event::PartStarted { index, part, .. } => {
                self.close(sink);
                let is_function = matches!(part, PartStart::ToolCall { is_custom: false, .. });
                self.open = Some(Open { index, arguments: is_function.then(Progress::default) });
                let index = self.begun;
                self.begun += 1;
                sink(Event::PartStarted { choice, index, part });
            }
            Event::Delta { index, delta, .. } => {
                // A piece of a part that is over already has no place any more: readers give none.
                let Some(open) = self.open.as_mut().filter(|open| open.index == index) else { return };
                if let (Some(progress), Delta::Arguments(text)) = (&mut open.arguments, &delta) {
                    progress.add(text);
                }
                let index = self.begun.saturating_sub(1);
                sink(Event::Delta { choice, index, delta });
            }
            Event::PartEnded { index, .. } if self.open.as_ref().is_some_and(|open| open.index == index) => {
                self.close(sink);
            }
            _ => {}
        }
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        if self.open.take().is_some() {
            sink(Event::PartEnded { choice: self.choice, index: self.begun.saturating_sub(1) });
        }
    }

    /// Gives on what was held, as far as the order of parts allows.
    fn release(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        while let Some(first) = self.waiting.pop_front() {
            // All of the part that waits longest; then, as long as it isn't over, the rest waits on.
            for event in self.held.remove(&first).unwrap_or_default() {
                self.held_bytes = self.held_bytes.saturating_sub(bytes_of(&event));
                self.pass(event, sink);
            }
            if self.open.is_some() {
                return;
            }
        }
    }

    /// The answer is over: everything that is held, part by part.
    fn flush(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        self.close(sink);
        while !self.held.is_empty() {
            self.release(sink);
            self.close(sink);
        }
    }
}

/// What an event takes of memory, about.
fn bytes_of(event: &Event<'_>) -> usize {
    size_of::<Event<'_>>() + event.text_bytes()
}

fn number(event: &Event<'_>) -> Option<u32> {
    match event {
        Event::PartStarted { index, .. } | Event::Delta { index, .. } | Event::PartEnded { index, .. } => {
            Some(*index)
        }
        _ => None,
    }
}

/// How much of one JSON object has come.
#[derive(Debug, Default)]
struct Progress {
    depth: u32,
    has_begun: bool,
    is_in_string: bool,
    is_escaped: bool,
}

impl Progress {
    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_in_string => self.is_escaped = true,
                b'"' => self.is_in_string = !self.is_in_string,
                _ if self.is_in_string => {}
                b'{' | b'[' => {
                    self.depth += 1;
                    self.has_begun = true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    const fn is_whole(&self) -> bool {
        self.has_begun && self.depth == 0 && !self.is_in_string
    }
}
