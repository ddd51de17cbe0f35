//! Whom a request is for, as its head says: once, and in one way only.

use http::header::{self, HeaderMap};
use http::uri::Authority;
use http::{HeaderValue, Request};
use topdog_domain::Refusal;

/// Refuses an HTTP/2 request that HTTP/1.1 would be refused for: whoever stands in front and speaks the one to its
/// clients and the other to us must not have read another host than we do (RFC 9113, 8.3.1).
///
/// # Errors
/// [`Refusal::MalformedRequest`] and [`Refusal::UnmetExpectation`].
pub(super) fn check_h2<B>(request: &Request<B>) -> Result<(), Refusal> {
    let headers = request.headers();
    let authority = request.uri().authority();
    if authority.is_some_and(|authority| !is_host(authority.as_str().as_bytes())) {
        return Err(Refusal::MalformedRequest("its :authority is no host"));
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (authority, hosts.next(), hosts.next()) {
        (Some(_), None, _) => {}
        (Some(authority), Some(host), None) if is_same(authority, host) => {}
        (None, Some(host), None) if is_host(host.as_bytes()) => {}
        (None, None, _) => {
            return Err(Refusal::MalformedRequest("it has neither an :authority nor a header host"));
        }
        (Some(_), Some(_), None) => {
            return Err(Refusal::MalformedRequest("its :authority and its header host differ"));
        }
        _ => return Err(Refusal::MalformedRequest("it has not one header host")),
    }
    if expects_other(headers) { Err(Refusal::UnmetExpectation) } else { Ok(()) }
}

fn is_same(authority: &Authority, host: &HeaderValue) -> bool {
    authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes())
}

fn expects_other(headers: &HeaderMap) -> bool {
    headers.get_all(header::EXPECT).iter().any(|value| !is_continue(value.as_bytes()))
}

/// Does the client only wait for a word before it sends the body (RFC 9110, 10.1.1)?
pub(super) const fn is_continue(expectation: &[u8]) -> bool {
    expectation.eq_ignore_ascii_case(b"100-continue")
}

/// Is that a host, and perhaps its port (RFC 3986, 3.2.2)? User information is none.
pub(super) fn is_host(text: &[u8]) -> bool {
    text.iter().all(|byte| is_of_host(*byte))
}

const fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b':'
                | b'['
                | b']'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}
