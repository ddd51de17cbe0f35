//! The connections of one origin that wait for work.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use hyper::client::conn::http2;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::body::RequestBody;
use crate::h1::Line;
use crate::pool::PoolSettings;
use crate::upstream::InFlight;

/// Idle HTTP/1 connections, most recently used last, and the shared HTTP/2 ones.
pub(crate) struct Shelf {
    settings: PoolSettings,
    idle: RefCell<VecDeque<Idle>>,
    shared: RefCell<Vec<Shared>>,
    pub(crate) dialling: Dialling,
}

struct Idle {
    line: Box<Line>,
    since: Instant,
}

struct Shared {
    sender: http2::SendRequest<RequestBody>,
    in_flight: Rc<Cell<u32>>,
    last_used: Instant,
}

/// One stream on a shared connection.
pub(crate) struct Stream {
    pub(crate) sender: http2::SendRequest<RequestBody>,
    pub(crate) in_flight: InFlight,
}

impl Shelf {
    pub(crate) fn new(settings: PoolSettings) -> Self {
        Self { settings, idle: RefCell::default(), shared: RefCell::default(), dialling: Dialling::default() }
    }

    /// The idle connection used last, which is the one least likely to be closed by its peer meanwhile.
    pub(crate) fn take(&self) -> Option<Box<Line>> {
        let mut idle = self.idle.borrow_mut();
        if idle.is_empty() {
            return None;
        }
        let now = Instant::now();
        while let Some(mut entry) = idle.pop_back() {
            if !entry.is_old(now, self.settings.idle_timeout) && entry.line.is_quiet() {
                return Some(entry.line);
            }
        }
        None
    }

    /// Puts a connection back; beyond the limit, the one unused the longest makes room.
    pub(crate) fn put(&self, line: Box<Line>) {
        let now = Instant::now();
        let mut idle = self.idle.borrow_mut();
        while idle.front().is_some_and(|oldest| oldest.is_old(now, self.settings.idle_timeout)) {
            idle.pop_front();
        }
        if idle.len() >= self.settings.max_idle_per_origin {
            idle.pop_front();
        }
        idle.push_back(Idle { line, since: now });
    }

    /// A stream on a shared connection that has room.
    pub(crate) fn stream(&self) -> Option<Stream> {
        let mut shared = self.shared.borrow_mut();
        if shared.is_empty() {
            return None;
        }
        let now = Instant::now();
        shared.retain(|connection| !connection.is_dead(now, self.settings.idle_timeout));
        let found =
            shared.iter_mut().find(|connection| connection.in_flight.get() < STREAMS_PER_CONNECTION)?;
        found.last_used = now;
        Some(Stream { sender: found.sender.clone(), in_flight: InFlight::enter(&found.in_flight) })
    }

    /// Shares a new HTTP/2 connection and takes its first stream.
    pub(crate) fn share(&self, sender: http2::SendRequest<RequestBody>) -> Stream {
        let in_flight = Rc::default();
        let stream = Stream { sender: sender.clone(), in_flight: InFlight::enter(&in_flight) };
        self.shared.borrow_mut().push(Shared { sender, in_flight, last_used: Instant::now() });
        stream
    }

    /// Closes what nobody has used for long; true when nothing is left.
    pub(crate) fn sweep(&self, now: Instant) -> bool {
        let patience = self.settings.idle_timeout;
        let mut idle = self.idle.borrow_mut();
        let mut shared = self.shared.borrow_mut();
        idle.retain_mut(|entry| !entry.is_old(now, patience) && entry.line.is_quiet());
        shared.retain(|connection| !connection.is_dead(now, patience));
        idle.is_empty() && shared.is_empty()
    }

    /// How many HTTP/1 connections lie here.
    pub(crate) fn idle_len(&self) -> usize {
        self.idle.borrow().len()
    }
}

/// What every HTTP/2 server should allow (RFC 9113, 6.5.2); more streams open another connection.
const STREAMS_PER_CONNECTION: u32 = 100;

impl Idle {
    fn is_old(&self, now: Instant, patience: Duration) -> bool {
        now.saturating_duration_since(self.since) >= patience
    }
}

impl Shared {
    /// A connection that lay idle may have been forgotten by a middlebox without a word.
    fn is_dead(&self, now: Instant, patience: Duration) -> bool {
        let is_idle = self.in_flight.get() == 0;
        self.sender.is_closed() || (is_idle && now.saturating_duration_since(self.last_used) >= patience)
    }
}

/// Keeps a burst of first requests from opening a connection each where one will carry them all.
#[derive(Default)]
pub(crate) struct Dialling {
    protocol: Cell<Protocol>,
    is_running: Cell<bool>,
    done: Notify,
}

/// What the last connection to this origin spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Protocol {
    #[default]
    Unknown,
    H1,
    H2,
}

/// The one attempt that others wait for; they wake when it is dropped.
pub(crate) struct Attempt<'a>(&'a Dialling);

impl Dialling {
    /// The right to dial while others wait, or `None` after having waited for whoever had it.
    pub(crate) async fn attempt_or_wait(&self) -> Option<Attempt<'_>> {
        if self.is_running.get() {
            self.done.notified().await;
            return None;
        }
        self.is_running.set(true);
        Some(Attempt(self))
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol.get()
    }

    /// Remembers what a connection spoke; `Unknown` after a failed one.
    pub(crate) fn learn(&self, protocol: Protocol) {
        self.protocol.set(protocol);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.is_running.set(false);
        self.0.done.notify_waiters();
    }
}
