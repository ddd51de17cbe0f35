//! Heads: how a request's is written, and how an answer's is read.

use std::io::Write as _;
use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};

use super::framing::Framing;
use crate::error::Lost;

/// The largest head of an answer, bytes.
pub(super) const MOST_BYTES: usize = 64 * 1024;
const MOST_FIELDS: usize = 100;

/// How long a request's body is.
#[derive(Clone, Copy)]
pub(super) enum Length {
    Known(u64),
    Chunked,
}

/// Writes request line and fields; the framing is ours alone to say.
pub(super) fn write<B>(request: &Request<B>, length: Length, out: &mut Vec<u8>) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(request.uri().path_and_query().map_or("/", |path| path.as_str()).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING || name == CONNECTION {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    match length {
        Length::Known(0) if !request.method().is_safe() => out.extend_from_slice(b"content-length: 0\r\n"),
        Length::Known(0) => {}
        Length::Known(length) => {
            // Writing into a vector can't fail.
            let _ = write!(out, "content-length: {length}\r\n");
        }
        Length::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    out.extend_from_slice(b"\r\n");
}

/// The head of an answer, and how its body is framed.
pub(super) struct AnswerHead {
    pub(super) answer: Response<Framing>,
    /// May the connection be used again after the body?
    pub(super) is_persistent: bool,
}

/// Takes a whole head from the buffer, passing over interim ones (RFC 9110, 15.2); none where it is not whole yet.
pub(super) fn take(buffer: &mut BytesMut) -> Result<Option<AnswerHead>, Lost> {
    loop {
        let Some((length, read)) = read(buffer)? else { return Ok(None) };
        let head = buffer.split_to(length).freeze();
        match read.status {
            // Never asked for; what follows would not be HTTP.
            StatusCode::SWITCHING_PROTOCOLS => return Err(Lost::Malformed),
            status if status.is_informational() => {}
            _ => return finish(&head, read).map(Some),
        }
    }
}

struct Read {
    status: StatusCode,
    is_1_1: bool,
    fields: Vec<(HeaderName, Range<usize>)>,
}

/// Reads a head without taking it: its length, and what it says.
fn read(buffer: &[u8]) -> Result<Option<(usize, Read)>, Lost> {
    if buffer.is_empty() {
        return Ok(None);
    }
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let length = match parser.parse_response_with_uninit_headers(&mut parsed, buffer, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= MOST_BYTES => {
            if has_bare_line_feed(buffer.get(..length).unwrap_or_default()) {
                return Err(Lost::Malformed);
            }
            length
        }
        Ok(httparse::Status::Partial) if buffer.len() <= MOST_BYTES => return Ok(None),
        _ => return Err(Lost::Malformed),
    };
    let base = buffer.as_ptr().addr();
    let field = |field: &httparse::Header<'_>| {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Lost::Malformed)?;
        let start = field.value.as_ptr().addr().saturating_sub(base);
        Ok((name, start..start + field.value.len()))
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Lost::Malformed)?;
    let mut read =
        Read { status, is_1_1: parsed.version == Some(1), fields: Vec::with_capacity(parsed.headers.len()) };
    for header in parsed.headers.iter() {
        read.fields.push(field(header)?);
    }
    Ok(Some((length, read)))
}

/// httparse takes a line feed alone for a line's end; others see one line there, and no field of its own.
fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head.get(at - 1) != Some(&b'\r'))
}

fn finish(head: &Bytes, read: Read) -> Result<AnswerHead, Lost> {
    let mut headers = HeaderMap::with_capacity(read.fields.len() + 8);
    for (name, range) in read.fields {
        // An empty value's place may lie behind the head.
        let value = if range.is_empty() { Bytes::new() } else { head.slice(range) };
        headers.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| Lost::Malformed)?);
    }
    let framing = framing(read.status, read.is_1_1, &headers)?;
    let is_persistent = read.is_1_1 && !matches!(framing, Framing::UntilClose) && !says_close(&headers);
    // hyper frames anew whatever is sent on; a stale word of it would only contradict.
    headers.remove(TRANSFER_ENCODING);
    let mut answer = Response::new(framing);
    *answer.status_mut() = read.status;
    *answer.version_mut() = if read.is_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    *answer.headers_mut() = headers;
    Ok(AnswerHead { answer, is_persistent })
}

/// RFC 9112, 6.3, without its leniencies: what two readers could frame in two ways is refused.
fn framing(status: StatusCode, is_1_1: bool, headers: &HeaderMap) -> Result<Framing, Lost> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let is_chunked = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
        if !is_1_1 || !is_chunked || codings.next().is_some() || headers.contains_key(CONTENT_LENGTH) {
            return Err(Lost::Malformed);
        }
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next().map(parse_length).transpose()?;
    for other in lengths {
        if Some(parse_length(other)?) != length {
            return Err(Lost::Malformed);
        }
    }
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Framing::length(0));
    }
    Ok(match length {
        Some(length) => Framing::length(length),
        None if headers.contains_key(TRANSFER_ENCODING) => Framing::chunked(),
        None => Framing::UntilClose,
    })
}

fn parse_length(value: &HeaderValue) -> Result<u64, Lost> {
    let text = value.to_str().map_err(|_| Lost::Malformed)?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Lost::Malformed);
    }
    text.parse().map_err(|_| Lost::Malformed)
}

fn says_close(headers: &HeaderMap) -> bool {
    headers.get_all(CONNECTION).iter().any(|value| {
        let text = value.to_str().unwrap_or("close");
        text.split(',').any(|word| word.trim().eq_ignore_ascii_case("close"))
    })
}
