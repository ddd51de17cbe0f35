//! The answer on its way through: sent on as it comes, as fast as the client reads.

use super::silence::{Silence, now};
use super::watch::Watch;
use crate::answer::BodyBroken;
use crate::arrive::Trail;
use crate::settle::Settlement;
use crate::test_provider::EchoBody;
use crate::worker::Worker;
use bytes::Bytes;
use http_body::{Body, Frame};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use topdog_domain::ports::PortError;
use topdog_domain::refusal::Blame;
use topdog_domain::usage::Outcome;
use topdog_domain::{Refusal, RequestId};
use topdog_egress::UpstreamBody;

/// Where an answer comes from.
pub(crate) enum Source {
    /// A provider; dropping it early cancels the request there.
    Upstream(UpstreamBody),
    /// The built-in test provider.
    Echo(EchoBody),
}

/// An answer that is being relayed. It settles at its end; dropped before, it settles as left by its client.
pub(crate) struct Relay {
    source: Source,
    watch: Watch,
    settlement: Option<Settlement>,
    /// To be sent on next.
    ready: VecDeque<Bytes>,
    /// The last bytes of a regulated answer: not sent before its record is on the disk.
    held: VecDeque<Bytes>,
    phase: Phase,
    waiting_since: Option<Instant>,
    /// When a piece was last handed on: until the next is asked for, the client is reading.
    handed_on: Option<Instant>,
    silence: Silence,
    /// Wakes the relay when the node can wait for no answer any longer; there once it has had to wait for one.
    cutoff: Option<Pin<Box<dyn Future<Output = ()>>>>,
    worker: Rc<Worker>,
    request: RequestId,
    is_regulated: bool,
    /// Has the whole answer of a provider that accepted come?
    is_whole: bool,
    /// When a stream said its last word, and bytes that have come behind it; there once it has.
    last_word: Option<(Instant, usize)>,
}

enum Phase {
    Relaying,
    /// All is settled; the last bytes wait for the disk.
    Confirming(Pin<Box<dyn Future<Output = Result<(), PortError>>>>, Last),
    Over,
    /// What can't be told inside the body is told by breaking the connection.
    Broken,
}

/// What comes last.
enum Last {
    /// Nothing more: the answer is whole.
    Whole,
    /// The event that tells of a failure.
    Event(Bytes),
    /// What can't be told inside the body.
    Break,
}

impl Relay {
    /// A relay of an answer whose beginning has come already.
    pub(crate) fn new(
        worker: &Rc<Worker>,
        trail: &Trail,
        source: Source,
        watch: Watch,
        settlement: Settlement,
        beginning: Bytes,
    ) -> Self {
        let silence = Silence::of_answer(worker, &settlement);
        let mut relay = Self {
            source,
            watch,
            settlement: Some(settlement),
            ready: VecDeque::new(),
            held: VecDeque::new(),
            phase: Phase::Relaying,
            waiting_since: None,
            handed_on: None,
            silence,
            cutoff: None,
            worker: worker.clone(),
            request: trail.request,
            is_regulated: trail.labels.get().segment.is_regulated(),
            is_whole: false,
            last_word: None,
        };
        if !beginning.is_empty() {
            relay.took(beginning, Duration::ZERO);
        }
        // An empty body is never asked for.
        if relay.source_has_ended() {
            relay.end();
        }
        relay
    }

    pub(crate) fn is_over(&self) -> bool {
        self.ready.is_empty() && matches!(self.phase, Phase::Over)
    }

    /// Has all of a whole answer been handed on, and nothing gone wrong?
    pub(crate) fn has_completed(&self) -> bool {
        self.is_whole && self.is_over()
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        self.count_reading();
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.handed_on = Some(Instant::now());
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match &mut self.phase {
                Phase::Relaying => std::task::ready!(self.poll_source(cx)),
                Phase::Confirming(durable, _) => {
                    let is_kept = std::task::ready!(durable.as_mut().poll(cx)).is_ok();
                    self.confirmed(is_kept);
                }
                Phase::Over => return Poll::Ready(None),
                Phase::Broken => {
                    self.phase = Phase::Over;
                    return Poll::Ready(Some(Err(BodyBroken)));
                }
            }
        }
    }

    /// Counts the time that the client has taken to read what it was given, beyond what writing it takes.
    fn count_reading(&mut self) {
        let took = self.handed_on.take().map_or(Duration::ZERO, |since| since.elapsed());
        if took > WRITING_TAKES
            && let Some(settlement) = &mut self.settlement
        {
            settlement.waited(took);
        }
    }

    /// Takes the next piece, or the end, from the source.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let polled = match &mut self.source {
            Source::Upstream(body) => {
                Pin::new(body).poll_frame(cx).map(|f| f.map(|r| r.map_err(|_| BodyBroken)))
            }
            Source::Echo(body) => Pin::new(body).poll_frame(cx).map(|f| f.map(|r| r.map_err(|_| BodyBroken))),
        };
        let Poll::Ready(frame) = polled else {
            let since = *self.waiting_since.get_or_insert_with(now);
            let cause = if self.is_cut_off(cx) {
                Refusal::ShuttingDown
            } else if self.silence.poll_too_long(since, cx) {
                Refusal::UpstreamTimeout(self.provider())
            } else {
                return Poll::Pending;
            };
            self.waited(since.elapsed());
            self.die(&cause);
            return Poll::Ready(());
        };
        let waited = self.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        match frame {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.took(data, waited);
                }
                // A client that was told the length does not wait for the end.
                if self.source_has_ended() {
                    self.end();
                }
            }
            Some(Err(BodyBroken)) => {
                self.waited(waited);
                self.die(&Refusal::UpstreamBroken(self.provider()));
            }
            None => {
                self.waited(waited);
                self.end();
            }
        }
        Poll::Ready(())
    }

    /// A task's waker stays the same, so that it is enough to wait once.
    fn is_cut_off(&mut self, cx: &mut Context<'_>) -> bool {
        if self.cutoff.is_some() {
            return self.worker.cutoff.has_come();
        }
        let worker = self.worker.clone();
        let cutoff = self.cutoff.insert(Box::pin(async move { worker.cutoff.reached().await }));
        cutoff.as_mut().poll(cx).is_ready()
    }

    fn source_has_ended(&self) -> bool {
        match &self.source {
            Source::Upstream(body) => body.is_end_stream(),
            Source::Echo(body) => body.is_end_stream(),
        }
    }

    fn took(&mut self, data: Bytes, waited: Duration) {
        if let Some((said_at, behind)) = &mut self.last_word {
            *behind += data.len();
            // Held in no share any more, so it must end, whatever its provider goes on to say.
            if *behind > MOST_BEHIND_LAST_WORD || said_at.elapsed() > LONGEST_BEHIND_LAST_WORD {
                return self.release(Last::Whole);
            }
        }
        if let Some(settlement) = &mut self.settlement {
            settlement.relayed(data.len(), waited);
        }
        self.watch.feed(data, &mut self.ready);
        let has_room = self.account(self.watch.kept_bytes());
        if self.is_regulated {
            self.hold_last();
        }
        if !has_room && !self.watch.keep_nothing() {
            return self.die(&Refusal::Overloaded);
        }
        if let Some(block) = self.watch.blocked() {
            let block = block.clone().into();
            return self.die(&block);
        }
        if self.watch.is_done() && !self.is_regulated && !self.watch.is_guarded() {
            self.complete();
        }
    }

    /// A stream has said its last word: it settles now, whenever its provider closes it and whether or not the client
    /// waits for that.
    fn complete(&mut self) {
        if self.watch.has_failed() {
            return;
        }
        if let Some(mut settlement) = self.settlement.take() {
            settlement.learnt(self.watch.learnt());
            settlement.settle(Outcome::Completed);
            self.last_word = Some((Instant::now(), 0));
        }
    }

    /// Takes memory for what is kept of the answer, more or less than before; false where there is none.
    fn account(&mut self, kept: usize) -> bool {
        let Some(settlement) = &mut self.settlement else { return true };
        if kept == 0 {
            settlement.let_go();
            return true;
        }
        let has_room = settlement.hold(kept);
        if !has_room {
            settlement.let_go();
        }
        has_room
    }

    /// Keeps back what must not be sent before the record is on the disk: all from a stream's last event on,
    /// and of other answers the last piece that has come.
    fn hold_last(&mut self) {
        if !self.watch.knows_its_end() {
            self.held.append(&mut self.ready);
            let last = self.held.pop_back();
            self.ready.append(&mut self.held);
            self.held.extend(last);
        } else if self.watch.is_done() {
            self.held.append(&mut self.ready);
        }
    }

    /// The source has ended: whole, or not.
    fn end(&mut self) {
        // It may have died of its last piece.
        if !matches!(self.phase, Phase::Relaying) {
            return;
        }
        let is_whole = self.watch.finish(&mut self.ready);
        if let Some(block) = self.watch.blocked() {
            return self.die(&block.clone().into());
        }
        if self.settlement.is_none() {
            self.is_whole = is_whole && !self.watch.has_failed();
            return self.release(Last::Whole);
        }
        if !is_whole {
            return self.die(&Refusal::UpstreamBroken(self.provider()));
        }
        if self.is_regulated {
            self.held.append(&mut self.ready);
        }
        if self.watch.has_failed() {
            let code = self.watch.failure_code();
            // A stream that could not be read, to be translated, has told its client of that already.
            let is_broken = code == Refusal::UpstreamBroken(self.provider()).code();
            if let Some(settlement) = &mut self.settlement {
                settlement.failed(code);
            }
            let outcome = if is_broken { Outcome::UpstreamFailed } else { Outcome::UpstreamError };
            return self.close(outcome, Last::Whole);
        }
        self.close(Outcome::Completed, Last::Whole);
    }

    /// The answer breaks off: the client is told so in its own dialect, and never that all is well.
    fn die(&mut self, refusal: &Refusal) {
        // Behind its last word nothing can break off.
        if self.settlement.is_none() {
            return self.release(Last::Whole);
        }
        tracing::warn!(request = %self.request, code = refusal.code(), "an answer broke off");
        if let Some(settlement) = &mut self.settlement {
            settlement.failed(refusal.code());
        }
        let last = self.failure(refusal);
        let outcome = match refusal.blame() {
            Blame::Provider => Outcome::UpstreamFailed,
            // Of all that is the caller's, only a guardrail ends an answer.
            Blame::Caller => Outcome::Blocked,
            Blame::Us => Outcome::InternalError,
        };
        self.close(outcome, last);
    }

    fn failure(&self, refusal: &Refusal) -> Last {
        let request = self.request.to_string();
        let event = self.watch.failure_event(refusal.code(), &refusal.to_string(), &request);
        event.map_or(Last::Break, Last::Event)
    }

    /// Settles. The last bytes go out at once, or in a regulated segment when the record is on the disk.
    fn close(&mut self, outcome: Outcome, last: Last) {
        let Some(mut settlement) = self.settlement.take() else { return };
        settlement.learnt(self.watch.learnt());
        settlement.judged(self.watch.judged());
        settlement.settle(outcome);
        self.is_whole = outcome == Outcome::Completed;
        if self.is_regulated {
            let worker = self.worker.clone();
            self.phase = Phase::Confirming(Box::pin(async move { worker.spool.durable().await }), last);
        } else {
            self.release(last);
        }
    }

    fn confirmed(&mut self, is_kept: bool) {
        let Phase::Confirming(_, last) = std::mem::replace(&mut self.phase, Phase::Over) else { return };
        if is_kept {
            return self.release(last);
        }
        self.held.clear();
        self.is_whole = false;
        let failure = self.failure(&Refusal::RecordsUnavailable);
        self.release(failure);
    }

    fn release(&mut self, last: Last) {
        self.ready.append(&mut self.held);
        self.phase = Phase::Over;
        match last {
            Last::Whole => {}
            Last::Event(event) => self.ready.push_back(event),
            Last::Break => self.phase = Phase::Broken,
        }
    }

    fn waited(&mut self, waited: Duration) {
        if let Some(settlement) = &mut self.settlement {
            settlement.waited(waited);
        }
    }

    fn provider(&self) -> topdog_domain::provider::ProviderName {
        self.settlement
            .as_ref()
            .map_or_else(topdog_domain::provider::ProviderName::test, Settlement::provider)
    }
}

/// What may follow a stream's last word before its end, bytes and time: no more than an empty line and a comment or two.
const MOST_BEHIND_LAST_WORD: usize = 4 * 1024;
const LONGEST_BEHIND_LAST_WORD: Duration = Duration::from_secs(10);

/// Writing a piece to the client's socket takes less; what takes longer is the client.
const WRITING_TAKES: Duration = Duration::from_millis(1);

impl Drop for Relay {
    fn drop(&mut self) {
        self.count_reading();
        if let Some(mut settlement) = self.settlement.take() {
            settlement.waited(self.waiting_since.map_or(Duration::ZERO, |since| since.elapsed()));
            settlement.learnt(self.watch.learnt());
            settlement.judged(self.watch.judged());
            settlement.abandoned();
        }
    }
}
