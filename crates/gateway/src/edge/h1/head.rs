//! A request's head: read strictly, so that nobody in front can have read it otherwise (RFC 9112).

use super::framing::Framing;
use crate::edge::audience::Audience;
use crate::edge::host::{check_authority, is_continue, is_host};
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use memchr::memchr_iter;
use std::mem::MaybeUninit;
use topdog_domain::Refusal;

/// A head that was understood.
pub(super) struct Head {
    pub(super) request: Request<()>,
    pub(super) framing: Framing,
    /// May the connection be used again?
    pub(super) is_persistent: bool,
    /// Does the client wait for a word before it sends the body (RFC 9110, 10.1.1)?
    pub(super) expects_continue: bool,
    /// Bytes it takes of the buffer.
    pub(super) length: usize,
}

/// Reads the head at the beginning of `bytes`; none where it is not whole yet.
pub(super) fn read(bytes: &[u8], most_bytes: usize) -> Result<Option<Head>, Refusal> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= most_bytes => {
            let head = bytes.get(..length).unwrap_or_default();
            if has_bare_line_feed(head) {
                return Err(malformed("a line of its head ends without a carriage return"));
            }
            finish(&parsed, head).map(Some)
        }
        Ok(httparse::Status::Partial) if bytes.len() < most_bytes => Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(Refusal::HeadTooLarge(most_bytes)),
        Err(error) => Err(malformed(match error {
            httparse::Error::HeaderName => {
                "a header's name is no token, or a header is continued on a second line"
            }
            httparse::Error::HeaderValue => "a header's value holds a control character",
            httparse::Error::NewLine => "a line of its head does not end as it should",
            httparse::Error::Version => "its version is neither HTTP/1.1 nor HTTP/1.0",
            _ => "its first line is no request line",
        })),
    }
}

/// Can a head end in what has come behind the first `from` bytes?
pub(super) fn may_end_behind(from: usize, bytes: &[u8]) -> bool {
    // An end is up to four bytes long.
    let tail = bytes.get(from.saturating_sub(3)..).unwrap_or_default();
    let is_end = |at: usize| {
        let rest = tail.get(at + 1..).unwrap_or_default();
        rest.starts_with(b"\r\n") || rest.starts_with(b"\n")
    };
    memchr_iter(b'\n', tail).any(is_end)
}

/// Who asks, by the head as far as it has come.
pub(super) fn audience(bytes: &[u8]) -> Audience {
    let mut words = bytes.splitn(3, |byte| *byte == b' ');
    Audience::of(words.nth(1).unwrap_or_default())
}

/// As many fields as hyper takes.
const MOST_FIELDS: usize = 100;

const fn malformed(what: &'static str) -> Refusal {
    Refusal::MalformedRequest(what)
}

/// httparse takes a line feed alone for a line's end; others may not.
fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr_iter(b'\n', head).any(|at| at == 0 || head.get(at - 1) != Some(&b'\r'))
}

fn finish(parsed: &httparse::Request<'_, '_>, head: &[u8]) -> Result<Head, Refusal> {
    let whole = Bytes::copy_from_slice(head);
    let part = |text: &[u8]| {
        let start = text.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
        // An empty value's place may lie anywhere.
        if text.is_empty() { Bytes::new() } else { whole.slice(start..start + text.len()) }
    };
    let is_1_1 = parsed.version == Some(1);
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes())
        .map_err(|_| malformed("its method is no token"))?;
    let uri = target(&method, part(parsed.path.unwrap_or_default().as_bytes()))?;
    let mut said = Said::default();
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| malformed("a header's name is no token"))?;
        let value = HeaderValue::from_maybe_shared(part(field.value))
            .map_err(|_| malformed("a header's value holds a control character"))?;
        said.hear(&name, &value)?;
        headers.append(name, value);
    }
    let (framing, is_persistent) = (said.framing(is_1_1)?, said.is_persistent(is_1_1));
    if said.hosts != 1 && (is_1_1 || said.hosts > 1) {
        return Err(malformed("it has not one header host"));
    }
    if let Some(authority) = uri.authority() {
        check_authority(authority, headers.get(header::HOST))?;
    }
    if said.expects_other && is_1_1 {
        return Err(Refusal::UnmetExpectation);
    }
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = if is_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    *request.headers_mut() = headers;
    let expects_continue = said.expects_continue && is_1_1;
    Ok(Head { request, framing, is_persistent, expects_continue, length: head.len() })
}

/// The request target (RFC 9112, 3.2): a path, for a proxy a whole address, for OPTIONS an asterisk.
fn target(method: &Method, text: Bytes) -> Result<Uri, Refusal> {
    const WRONG: Refusal = malformed("its target is neither a path nor an address");
    if !text.iter().all(u8::is_ascii_graphic) || text.contains(&b'#') {
        return Err(WRONG);
    }
    let is_path = text.starts_with(b"/");
    if text.as_ref() == b"*" && method != Method::OPTIONS {
        return Err(WRONG);
    }
    let is_asterisk = text.as_ref() == b"*";
    let uri = Uri::from_maybe_shared(text).map_err(|_| WRONG)?;
    let is_address = matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some();
    if is_path || is_asterisk || is_address { Ok(uri) } else { Err(WRONG) }
}

/// What the fields say of the message itself.
#[derive(Default)]
struct Said {
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
    keeps_alive: bool,
    expects_continue: bool,
    expects_other: bool,
}

impl Said {
    fn hear(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Refusal> {
        let text = value.as_bytes();
        match *name {
            header::HOST => {
                self.hosts += 1;
                if !is_host(text) {
                    return Err(malformed("its header host is no host"));
                }
            }
            header::CONTENT_LENGTH => {
                let length = length(text).ok_or(malformed("its content-length is no number of bytes"))?;
                if self.length.replace(length).is_some() {
                    return Err(malformed("it has more than one content-length"));
                }
            }
            header::TRANSFER_ENCODING => {
                if self.is_chunked || !text.eq_ignore_ascii_case(b"chunked") {
                    return Err(malformed("its transfer-encoding is not chunked and nothing else"));
                }
                self.is_chunked = true;
            }
            header::CONNECTION => {
                let mut words = text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                self.closes |= words.clone().any(|word| word.eq_ignore_ascii_case(b"close"));
                self.keeps_alive |= words.any(|word| word.eq_ignore_ascii_case(b"keep-alive"));
            }
            header::EXPECT => {
                self.expects_continue |= is_continue(text);
                self.expects_other |= !is_continue(text);
            }
            _ => {}
        }
        Ok(())
    }

    /// RFC 9112, 6.3, without its leniencies: what two readers could frame in two ways is refused.
    fn framing(&self, is_1_1: bool) -> Result<Framing, Refusal> {
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(malformed("it has both a content-length and a transfer-encoding")),
            (true, None) if !is_1_1 => Err(malformed("HTTP/1.0 knows no transfer-encoding")),
            (true, None) => Ok(Framing::chunked()),
            (false, length) => Ok(Framing::length(length.unwrap_or_default())),
        }
    }

    const fn is_persistent(&self, is_1_1: bool) -> bool {
        !self.closes && (is_1_1 || self.keeps_alive)
    }
}

/// Digits only: neither a sign nor a list (RFC 9110, 8.6).
fn length(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
