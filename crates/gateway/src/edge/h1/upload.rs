//! The body of the request that a connection is at, on its way to its reader.

use super::framing::Framing;
use super::inbox::{Demand, Feeder};
use crate::edge::client_body::BodyLost;
use bytes::{Bytes, BytesMut};
use std::task::Context;

/// How far the body has come.
pub(super) enum Upload {
    /// To its end.
    Over,
    /// Not so far.
    Coming(Coming),
    /// It is malformed, or has broken off: nothing behind it can be understood.
    Lost,
}

pub(super) struct Coming {
    framing: Framing,
    feeder: Feeder,
    /// Does the client wait to be told to send it?
    owes_continue: bool,
    /// Bytes that nobody wanted.
    passed_over: u64,
}

impl Upload {
    pub(super) const fn coming(framing: Framing, feeder: Feeder, owes_continue: bool) -> Self {
        Self::Coming(Coming { framing, feeder, owes_continue, passed_over: 0 })
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    pub(super) const fn is_coming(&self) -> bool {
        matches!(self, Self::Coming(_))
    }

    /// May another request follow on this connection? What nobody read of the body must be small, and on its way.
    pub(super) fn leaves_connection_usable(&self) -> bool {
        match self {
            Self::Over => true,
            Self::Lost => false,
            Self::Coming(coming) => {
                let is_small = matches!(coming.framing, Framing::Length(left) if left + coming.passed_over <= MOST_PASSED_OVER);
                is_small && !coming.owes_continue && coming.feeder.is_abandoned()
            }
        }
    }

    /// Is more of it to be read? Wakes the task when that changes.
    pub(super) fn wants_more(&self, cx: &mut Context<'_>) -> bool {
        let Self::Coming(coming) = self else { return false };
        let Demand { has_room, is_abandoned, .. } = coming.feeder.demand(cx);
        if is_abandoned { coming.passed_over <= MOST_PASSED_OVER } else { has_room }
    }

    /// Is the client to be told to send it? True once.
    pub(super) fn takes_up_continue(&mut self, cx: &mut Context<'_>) -> bool {
        let Self::Coming(coming) = self else { return false };
        let is_due = coming.owes_continue && {
            let demand = coming.feeder.demand(cx);
            demand.is_asked && !demand.is_abandoned
        };
        if is_due {
            coming.owes_continue = false;
        }
        is_due
    }

    /// Takes what belongs to the body from the beginning of `bytes`: how much that is.
    pub(super) fn feed(&mut self, bytes: &[u8], cx: &Context<'_>) -> usize {
        let Self::Coming(coming) = self else { return 0 };
        let mut rest = bytes;
        let is_sound = coming.feed(&mut rest, cx);
        // Who sends unasked does not wait.
        coming.owes_continue = false;
        let is_over = coming.framing == Framing::Over;
        if !is_sound || is_over {
            self.end(if is_sound { Ok(()) } else { Err(BodyLost) });
        }
        bytes.len() - rest.len()
    }

    /// The client has left.
    pub(super) fn break_off(&mut self) {
        if !self.is_over() {
            self.end(Err(BodyLost));
        }
    }

    fn end(&mut self, end: Result<(), BodyLost>) {
        let ended = if end.is_ok() { Self::Over } else { Self::Lost };
        if let Self::Coming(coming) = std::mem::replace(self, ended) {
            coming.feeder.end(end);
        }
    }
}

impl Coming {
    /// Hands on all data in `rest` as one piece; false where the framing is wrong.
    fn feed(&mut self, rest: &mut &[u8], cx: &Context<'_>) -> bool {
        let mut piece = BytesMut::new();
        let is_sound = loop {
            let before = rest.len();
            match self.framing.take(rest) {
                Ok(Some(data)) if piece.is_empty() && rest.is_empty() => {
                    self.push(Bytes::copy_from_slice(data), cx);
                }
                Ok(Some(data)) => {
                    if piece.is_empty() {
                        piece.reserve(before);
                    }
                    piece.extend_from_slice(data);
                }
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if !piece.is_empty() {
            self.push(piece.freeze(), cx);
        }
        is_sound
    }

    fn push(&mut self, piece: Bytes, cx: &Context<'_>) {
        if self.feeder.is_abandoned() {
            self.passed_over += piece.len() as u64;
        } else {
            self.feeder.push(piece, cx);
        }
    }
}

/// The most that is read of a body which nobody wants, bytes; beyond it the connection is closed.
const MOST_PASSED_OVER: u64 = 64 * 1024;
