//! An answer on its way out: its head, then its body in the framing that the client can read.

use super::wire::{Transport, Wire};
use crate::answer::AnswerBody;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use http_body::Body as _;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use topdog_domain::Timestamp;

/// What the answer must heed of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    pub(super) is_1_1: bool,
    /// Does the client allow another request on the connection?
    pub(super) is_persistent: bool,
}

impl Asked {
    pub(super) fn by(method: &Method, version: Version, is_persistent: bool) -> Self {
        Self { is_head: method == Method::HEAD, is_1_1: version == Version::HTTP_11, is_persistent }
    }
}

/// An answer that is being sent.
pub(super) struct Outgoing {
    body: AnswerBody,
    framing: Framing,
    stage: Stage,
    is_head_alone: bool,
    /// Can the client tell where it ends, and go on?
    pub(super) is_persistent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// So many bytes still to come.
    Length(u64),
    Chunked,
    UntilClose,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Flowing,
    /// All of it is written out.
    Over,
    /// It broke off: the connection must not look as if it had ended well.
    Broken,
}

impl Outgoing {
    /// Writes the head.
    pub(super) fn begin<S: Transport>(
        answer: Response<AnswerBody>,
        asked: Asked,
        may_persist: bool,
        now: Timestamp,
        wire: &mut Wire<S>,
    ) -> Self {
        let (parts, body) = answer.into_parts();
        let has_body = !asked.is_head && may_have_body(parts.status);
        let framing = match length(&parts.headers, &body, has_body) {
            Some(length) => Framing::Length(length),
            None if asked.is_1_1 => Framing::Chunked,
            None => Framing::UntilClose,
        };
        let is_told = !has_body || framing != Framing::UntilClose;
        let is_persistent = may_persist && asked.is_persistent && is_told && !closes(&parts.headers);
        let thread = wire.thread();
        let out = wire.out();
        write_status(parts.status, asked.is_1_1, out);
        write_fields(&parts.headers, out);
        match framing {
            Framing::Length(length) if parts.status != StatusCode::NO_CONTENT => {
                // Writing into a vector can't fail.
                let _ = write!(out, "content-length: {length}\r\n");
            }
            Framing::Chunked if has_body => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            _ => {}
        }
        if !is_persistent {
            out.extend_from_slice(b"connection: close\r\n");
        } else if !asked.is_1_1 {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        if !parts.headers.contains_key(header::DATE) {
            thread.write_date(now, out);
        }
        out.extend_from_slice(b"\r\n");
        let stage = if has_body && framing != Framing::Length(0) { Stage::Flowing } else { Stage::Over };
        Self { body, framing, stage, is_head_alone: true, is_persistent }
    }

    /// Is its body still to be asked for what can leave in one write with its head?
    pub(super) const fn is_head_alone(&self) -> bool {
        self.is_head_alone
    }

    /// Must its end be a reset, since nothing else would tell it from a whole answer's?
    pub(super) fn must_be_cut(&self) -> bool {
        self.stage == Stage::Broken && self.framing == Framing::UntilClose
    }

    pub(super) const fn stage(&self) -> Stage {
        self.stage
    }

    /// Puts as much of the body into the write buffer as is ready and fits; pending where more must be waited for.
    pub(super) fn poll_fill<S: Transport>(&mut self, wire: &mut Wire<S>, cx: &mut Context<'_>) -> Poll<()> {
        self.is_head_alone = false;
        while self.stage == Stage::Flowing {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers were not announced.
                    let Ok(data) = frame.into_data() else { continue };
                    if self.write(data, wire) {
                        return Poll::Ready(());
                    }
                }
                Some(Err(_)) => self.stage = Stage::Broken,
                None => self.finish(wire),
            }
        }
        Poll::Ready(())
    }

    /// Writes a piece; true where it is time to send.
    fn write<S: Transport>(&mut self, data: Bytes, wire: &mut Wire<S>) -> bool {
        if let Framing::Length(left) = &mut self.framing {
            let Some(rest) = left.checked_sub(data.len() as u64) else {
                self.stage = Stage::Broken;
                return true;
            };
            *left = rest;
            // Whoever was told the length does not wait for the end; but the body may have to learn of it.
            if rest == 0 && self.body.is_end_stream() {
                self.stage = Stage::Over;
            }
        }
        if data.is_empty() {
            return false;
        }
        let mut line_end: &[u8] = b"";
        if self.framing == Framing::Chunked {
            line_end = b"\r\n";
            // Writing into a vector can't fail.
            let _ = write!(wire.out(), "{:x}\r\n", data.len());
        }
        if data.len() > LARGEST_COPIED {
            wire.send_behind(data, line_end);
            return true;
        }
        let out = wire.out();
        out.extend_from_slice(&data);
        out.extend_from_slice(line_end);
        out.len() >= ENOUGH
    }

    fn finish<S: Transport>(&mut self, wire: &mut Wire<S>) {
        self.stage = match self.framing {
            Framing::Length(0) | Framing::UntilClose => Stage::Over,
            Framing::Length(_) => Stage::Broken,
            Framing::Chunked => {
                wire.out().extend_from_slice(b"0\r\n\r\n");
                Stage::Over
            }
        };
    }
}

/// A piece up to this size is copied behind what goes before it, and leaves in one write with it.
const LARGEST_COPIED: usize = 16 * 1024;
/// No more is gathered than this before it is sent.
const ENOUGH: usize = 32 * 1024;

/// Informational answers, and these two, have no body whatever their fields say (RFC 9110, 6.4.1).
fn may_have_body(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The length to tell: the body's own, else what the answer says. Where there is no body its fields are of another,
/// the one that GET would have.
fn length(headers: &HeaderMap, body: &AnswerBody, has_body: bool) -> Option<u64> {
    let own = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    if has_body {
        own.or_else(|| said_length(headers))
    } else {
        said_length(headers).or(own.filter(|n| *n > 0))
    }
}

fn said_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn closes(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

fn write_status(status: StatusCode, is_1_1: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if is_1_1 { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes all fields but those that say where the message ends, and what becomes of the connection.
fn write_fields(headers: &HeaderMap, out: &mut Vec<u8>) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    for (name, value) in headers {
        match *name {
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION | header::UPGRADE => {}
            _ if *name == KEEP_ALIVE => {}
            _ => {
                out.extend_from_slice(name.as_str().as_bytes());
                out.extend_from_slice(b": ");
                out.extend_from_slice(value.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}
