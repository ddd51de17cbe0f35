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
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    match (request.uri().authority(), host, another) {
        (_, _, Some(_)) => return Err(Refusal::MalformedRequest("it has more than one header host")),
        (None, None, _) => {
            return Err(Refusal::MalformedRequest("it has neither an :authority nor a header host"));
        }
        (None, Some(host), _) if !is_host(host.as_bytes()) => {
            return Err(Refusal::MalformedRequest("its header host is no host"));
        }
        (None, Some(_), _) => {}
        (Some(authority), host, _) => check_authority(authority, host)?,
    }
    if expects_other(headers) { Err(Refusal::UnmetExpectation) } else { Ok(()) }
}

/// Refuses a request that says whom it is for outside its header host, too (`:authority`, or a whole address in place of
/// a path), where that is no host, or another.
///
/// # Errors
/// [`Refusal::MalformedRequest`].
pub(super) fn check_authority(authority: &Authority, host: Option<&HeaderValue>) -> Result<(), Refusal> {
    let authority = authority.as_str().as_bytes();
    if !is_host(authority) {
        return Err(Refusal::MalformedRequest("its authority is no host"));
    }
    if host.is_some_and(|host| !authority.eq_ignore_ascii_case(host.as_bytes())) {
        return Err(Refusal::MalformedRequest("its authority and its header host differ"));
    }
    Ok(())
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
