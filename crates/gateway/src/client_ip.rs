//! From which address a request comes, where gateways of our own may stand in front.

use crate::worker::Worker;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use std::net::{IpAddr, SocketAddr};
use topdog_domain::Refusal;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Is it a gateway of our own in front?
pub(crate) fn is_trusted(worker: &Worker, ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    worker.config().trusted_proxies.iter().any(|net| net.contains(&ip))
}

/// Whose request it is: the peer, or what a gateway of our own in front says of its peer.
///
/// # Errors
/// Where that can't be read: it is nobody's address, and must not pass for the gateway's, which may do more.
pub(crate) fn client_ip(worker: &Worker, headers: &HeaderMap, peer: IpAddr) -> Result<IpAddr, Refusal> {
    if !is_trusted(worker, peer) {
        return Ok(peer);
    }
    let hops = headers.get_all(X_FORWARDED_FOR);
    nearest(hops.iter(), |ip| is_trusted(worker, ip)).map(|found| found.unwrap_or(peer))
}

/// The right-most address that is not one of our own proxies, else the left-most. What is to its left is hearsay and not
/// even read: anyone could have it refused, or believed.
fn nearest<'a>(
    lines: impl DoubleEndedIterator<Item = &'a HeaderValue>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<Option<IpAddr>, Refusal> {
    let hops = lines.rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut found = None;
    // RFC 9110, 5.6.1: empty elements of a list are passed over.
    for hop in hops.map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty()) {
        let ip = address(hop).ok_or(Refusal::BadHeader("x-forwarded-for"))?;
        found = Some(ip);
        if !is_trusted(ip) {
            break;
        }
    }
    Ok(found)
}

/// An address as proxies write it: bare, in the brackets of a URL, or with the port it was seen at.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let is_v4_in_brackets = |ip: &IpAddr| bare.len() < text.len() && ip.is_ipv4();
    let ip = bare.parse::<IpAddr>().ok().filter(|ip| !is_v4_in_brackets(ip));
    ip.or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip())).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found where 10.0.0.0/8 and `::1` are ours.
    fn found(lines: &[&'static [u8]]) -> Result<Option<String>, ()> {
        let lines: Vec<_> = lines.iter().map(|line| HeaderValue::from_bytes(line).unwrap()).collect();
        let ours = |ip: IpAddr| ip.to_string().starts_with("10.") || ip.to_string() == "::1";
        nearest(lines.iter(), ours).map(|ip| ip.map(|ip| ip.to_string())).map_err(|refusal| {
            assert_eq!(refusal, Refusal::BadHeader("x-forwarded-for"));
        })
    }

    #[test]
    fn the_nearest_stranger_counts_and_what_it_says_is_not_read() {
        for (lines, ip) in [
            (&[][..], None),
            (&[b"" as &[u8]][..], None),
            (&[b"8.8.8.8"], Some("8.8.8.8")),
            (&[b"9.9.9.9, 8.8.8.8"], Some("8.8.8.8")),
            (&[b"9.9.9.9", b"8.8.8.8"], Some("8.8.8.8")),
            (&[b"8.8.8.8, 10.0.0.1", b"10.0.0.2,\t10.0.0.3"], Some("8.8.8.8")),
            (&[b"10.0.0.1, 10.0.0.2"], Some("10.0.0.1")),
            (&[b"garbage, 8.8.8.8"], Some("8.8.8.8")),
            (&[b"\xff\xfe", b"8.8.8.8, 10.0.0.2"], Some("8.8.8.8")),
            (&[b"8.8.8.8:4711"], Some("8.8.8.8")),
            (&[b"8.8.8.8, , 10.0.0.9:80,"], Some("8.8.8.8")),
            (&[b"2001:db8::1"], Some("2001:db8::1")),
            (&[b"[2001:db8::1]:443"], Some("2001:db8::1")),
            (&[b"[2001:db8::1], [::1]"], Some("2001:db8::1")),
            (&[b"::ffff:8.8.8.8, ::ffff:10.0.0.1"], Some("8.8.8.8")),
        ] {
            assert_eq!(found(lines), Ok(ip.map(str::to_owned)), "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_nobodys_address() {
        for lines in [
            &[b"garbage" as &[u8]][..],
            &[b"unknown"],
            &[b"_hidden, 10.0.0.1"],
            &[b"8.8.8.8, garbage"],
            &[b"8.8.8.8", b"\xff"],
            &[b"8.8.8.8 9.9.9.9"],
            &[b"8.8.8.8:"],
            &[b"8.8.8.8:99999"],
            &[b"08.8.8.8"],
            &[b"[8.8.8.8]"],
            &[b"[2001:db8::1"],
            &[b"2001:db8::1%eth0"],
            &[b"\"8.8.8.8\""],
        ] {
            assert_eq!(found(lines), Err(()), "{lines:?}");
        }
    }
}
