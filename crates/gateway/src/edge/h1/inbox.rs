//! A body on its way from its connection to its reader, which may be on another thread.

use crate::edge::client_body::BodyLost;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Both ends of a body; `length` is its length where the head tells it.
pub(super) fn inbox(length: Option<u64>) -> (Feeder, Inbox) {
    let shared = Arc::new(Mutex::new(State::default()));
    (Feeder(shared.clone()), Inbox { shared, left: length })
}

/// The reader's end; dropping it tells the connection that nobody wants the rest.
pub(crate) struct Inbox {
    shared: Arc<Mutex<State>>,
    /// Bytes still to be read, where the head told.
    left: Option<u64>,
}

impl Inbox {
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyLost>>> {
        let mut state = lock(&self.shared);
        state.is_asked = true;
        let piece = state.pieces.pop_front();
        let polled = match piece {
            Some(piece) => {
                state.held = state.held.saturating_sub(cost(&piece));
                self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                Poll::Ready(Some(Ok(piece)))
            }
            None => match state.end {
                Some(Ok(())) => Poll::Ready(None),
                Some(Err(lost)) => {
                    state.end = Some(Ok(()));
                    Poll::Ready(Some(Err(lost)))
                }
                None => {
                    keep(&mut state.reader, cx);
                    Poll::Pending
                }
            },
        };
        // The connection may have waited for room, or for being asked.
        let waiting = state.feeder.take_if(|feeder| !feeder.will_wake(cx.waker()));
        drop(state);
        wake(waiting);
        polled
    }

    pub(crate) fn is_over(&self) -> bool {
        let state = lock(&self.shared);
        state.pieces.is_empty() && matches!(state.end, Some(Ok(())))
    }

    pub(crate) const fn left(&self) -> Option<u64> {
        self.left
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.is_abandoned = true;
        state.pieces.clear();
        state.held = 0;
        let waiting = state.feeder.take();
        drop(state);
        wake(waiting);
    }
}

/// The connection's end; dropping it before the body's end breaks the body off.
pub(super) struct Feeder(Arc<Mutex<State>>);

/// What the reader is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// Is there room for more?
    pub(super) has_room: bool,
    /// Has the body been asked for?
    pub(super) is_asked: bool,
    /// Will nobody read the rest?
    pub(super) is_abandoned: bool,
}

impl Feeder {
    /// What the reader is at; wakes the task when that changes.
    pub(super) fn demand(&self, cx: &mut Context<'_>) -> Demand {
        let mut state = lock(&self.0);
        keep(&mut state.feeder, cx);
        Demand {
            has_room: state.held < MOST_HELD,
            is_asked: state.is_asked,
            is_abandoned: state.is_abandoned,
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        lock(&self.0).is_abandoned
    }

    pub(super) fn push(&self, piece: Bytes, cx: &Context<'_>) {
        let mut state = lock(&self.0);
        if !state.is_abandoned {
            state.held += cost(&piece);
            state.pieces.push_back(piece);
        }
        // A reader in the task that feeds it is polled by it anyway.
        let waiting = state.reader.take_if(|reader| !reader.will_wake(cx.waker()));
        drop(state);
        wake(waiting);
    }

    pub(super) fn end(self, end: Result<(), BodyLost>) {
        self.close(end);
    }

    fn close(&self, end: Result<(), BodyLost>) {
        let mut state = lock(&self.0);
        state.end.get_or_insert(end);
        let waiting = state.reader.take();
        drop(state);
        wake(waiting);
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.close(Err(BodyLost));
    }
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Bytes>,
    /// What the pieces cost.
    held: usize,
    end: Option<Result<(), BodyLost>>,
    reader: Option<Waker>,
    feeder: Option<Waker>,
    is_asked: bool,
    is_abandoned: bool,
}

/// A body that is not read holds at most so many bytes, and what was read at once.
const MOST_HELD: usize = 64 * 1024;
/// What a piece costs beside its bytes: a client that sends many small ones must not get more memory for it.
const PIECE_COST: usize = 256;

const fn cost(piece: &Bytes) -> usize {
    piece.len() + PIECE_COST
}

fn lock(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(kept) => kept.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
