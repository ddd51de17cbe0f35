//! A stream translated as it passes: pieces of the provider's in, whole frames of the client's out.

use super::Dialect;
use super::call_id::CallIds;
use super::codec::{AnswerContext, StreamReader, StreamWriter};
use super::losses::Losses;
use super::model::{Delta, Event, Failure, FailureKind};
use super::sequence::{Interleaving, Sequencer};
use crate::usage::estimate;
use topdog_domain::usage::TokenUsage;

/// One stream. It never ends well unless the provider's did: an end without the provider's own last word,
/// or with no reason why the answer stopped, is a failure to the client too.
pub struct StreamTranslator {
    reader: Box<dyn StreamReader>,
    passage: Passage,
}

/// What is behind the reader.
struct Passage {
    writer: Box<dyn StreamWriter>,
    sequencer: Option<Sequencer>,
    call_ids: CallIds,
    losses: Losses,
    state: State,
    has_stopped: bool,
    usage: Option<TokenUsage>,
    text_bytes: u64,
    /// How much text had passed when the usage was told last.
    text_bytes_told: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Done,
    Failed,
}

impl StreamTranslator {
    /// A translator of an answer, `from` the provider's dialect `to` the client's.
    #[must_use]
    pub fn new(from: Dialect, to: Dialect, context: &AnswerContext<'_>) -> Self {
        let codec = to.codec();
        Self {
            reader: from.codec().stream_reader(),
            passage: Passage {
                writer: codec.stream_writer(context),
                sequencer: (codec.interleaving() == Interleaving::Sequential).then(Sequencer::default),
                call_ids: CallIds::of(context.id),
                losses: Losses::of_stream(),
                state: State::Running,
                has_stopped: false,
                usage: None,
                text_bytes: 0,
                text_bytes_told: 0,
            },
        }
    }

    /// Takes a piece of the provider's stream and appends what the client gets for it. Of a failure the
    /// `secret` that the provider was sent, and whatever looks like a key, is taken out.
    pub fn push(&mut self, piece: &[u8], secret: &[u8], out: &mut Vec<u8>) {
        let passage = &mut self.passage;
        self.reader.push(piece, &mut |event| passage.take(event, secret, out));
    }

    /// The provider has closed its stream: what was held back of it. Whether it ended well, [`is_done`](Self::is_done)
    /// says.
    pub fn end(&mut self, secret: &[u8], out: &mut Vec<u8>) {
        let passage = &mut self.passage;
        self.reader.finish(&mut |event| passage.take(event, secret, out));
    }

    /// The provider has closed its stream. If it had not said that it is complete, the client is told of
    /// the failure.
    pub fn finish(&mut self, secret: &[u8], out: &mut Vec<u8>) {
        self.end(secret, out);
        self.fail("upstream_failed", "the provider's stream broke off before its end", out);
    }

    /// Ends the stream with the client dialect's own failure event; does nothing where it has ended.
    pub fn fail(&mut self, code: &str, message: &str, out: &mut Vec<u8>) {
        let failure = Failure {
            kind: FailureKind::Server,
            message: message.into(),
            code: Some(code.into()),
            param: None,
            request_id: None,
        };
        self.passage.take(Event::Failed(failure), b"", out);
    }

    /// The usage that the provider told last; none where it told none.
    #[must_use]
    pub const fn usage(&self) -> Option<TokenUsage> {
        self.passage.usage
    }

    /// Bytes of model-written text that no usage counts which the provider told so far: it told it before them, and has
    /// not completed its stream.
    #[must_use]
    pub fn untold_text_bytes(&self) -> u64 {
        let Passage { text_bytes, text_bytes_told, .. } = self.passage;
        if self.is_done() { 0 } else { text_bytes.saturating_sub(text_bytes_told) }
    }

    /// An estimate of the output tokens that passed, for streams that told no usage.
    #[must_use]
    pub const fn estimated_output(&self) -> u64 {
        estimate(self.passage.text_bytes)
    }

    /// How many bytes are held: of an event whose end has not come, of parts that wait for others, and of what the
    /// client's dialect says once more at the end.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let waiting = self.passage.sequencer.as_ref().map_or(0, Sequencer::held_bytes);
        self.reader.held_bytes() + waiting + self.passage.writer.held_bytes()
    }

    /// Has the stream ended well?
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.passage.state == State::Done
    }

    /// Has it ended with a failure?
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.passage.state == State::Failed
    }

    /// What could not be said in the client's dialect, once each.
    #[must_use]
    pub fn dropped(&self) -> Vec<&'static str> {
        self.passage.losses.reasons()
    }
}

impl Passage {
    fn take(&mut self, event: Event<'_>, secret: &[u8], out: &mut Vec<u8>) {
        if self.state != State::Running {
            return;
        }
        match &event {
            Event::Usage(usage) => {
                self.usage = Some(usage.tokens);
                self.text_bytes_told = self.text_bytes;
            }
            Event::Stopped { .. } => self.has_stopped = true,
            Event::Delta { delta: Delta::Text(text) | Delta::Arguments(text), .. } => {
                self.text_bytes += text.len() as u64;
            }
            Event::Failed(_) => return self.end_badly(event, secret, out),
            Event::Done if !self.has_stopped => return self.end_badly(unexplained(), secret, out),
            Event::Done => self.state = State::Done,
            _ => {}
        }
        let Self { writer, losses, sequencer, call_ids, .. } = self;
        let event = call_ids.give_in_stream(event);
        match sequencer {
            None => writer.write(event, losses, out),
            Some(sequencer) => sequencer.push(event, &mut |event| writer.write(event, losses, out)),
        }
    }

    fn end_badly(&mut self, failure: Event<'_>, secret: &[u8], out: &mut Vec<u8>) {
        self.state = State::Failed;
        let start = out.len();
        self.writer.write(failure, &mut self.losses, out);
        let written = out.split_off(start);
        out.extend(self.writer.redacted(written, secret));
    }
}

/// A provider that says it is done and never said why it stopped has lost something on the way.
fn unexplained() -> Event<'static> {
    Event::Failed(Failure {
        kind: FailureKind::Server,
        message: "the provider's stream ended without saying why".into(),
        code: Some("upstream_failed".into()),
        param: None,
        request_id: None,
    })
}
