//! Which addresses are not of the public internet.
//!
//! An explicit table, because the usual `is_global` calls several dangerous forms global: NAT64 and 6to4
//! forms of link-local addresses, v4-compatible loopback, Oracle's metadata address.
//! Source: IANA special-purpose address registries (RFC 6890) and the clouds' manuals.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// The address that policy judges: embedded IPv4 is taken out of its IPv6 wrapping.
///
/// Only wrappings that really lead to the IPv4 host are unwrapped: v4-mapped (RFC 4291), the well-known
/// NAT64 prefix (RFC 6052, what IPv6-only machines see of the IPv4 internet) and 6to4 (RFC 3056).
pub(crate) fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => v4(g, h).into(),
        [0x2002, ..] => v4(b, c).into(),
        _ => ip,
    }
}

/// Whether the address is outside the public internet; expects a [`canonical`] one.
pub(crate) fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => SPECIAL_V4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => SPECIAL_V6.iter().any(|net| net.contains(&ip)),
    }
}

/// Whether the address, or any IPv4 address hidden in it, serves a cloud's metadata.
pub(crate) fn is_metadata(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(ip) => is_metadata_v4(ip),
        IpAddr::V6(ip) => {
            METADATA_V6.iter().any(|net| net.contains(&ip))
                || hidden_v4(ip).into_iter().flatten().any(is_metadata_v4)
        }
    }
}

fn is_metadata_v4(ip: Ipv4Addr) -> bool {
    METADATA_V4.iter().any(|net| net.contains(&ip))
}

/// Where wrappings that [`canonical`] leaves alone keep an IPv4 address.
fn hidden_v4(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    match [a, b, c, d, e, f] {
        // v4-compatible (RFC 4291) and v4-translated (RFC 2765).
        [0, 0, 0, 0, 0, 0] | [0, 0, 0, 0, 0xffff, 0] => [Some(v4(g, h)), None],
        // The local NAT64 prefix, used with 96 bits or with 48, around the reserved octet (RFC 6052).
        [0x64, 0xff9b, 1, ..] => [Some(v4(g, h)), Some(v4(d, (e << 8) | (f >> 8)))],
        // Teredo stores the client's address inverted, the server's as it is (RFC 4380).
        [0x2001, 0, ..] => [Some(v4(!g, !h)), Some(v4(c, d))],
        // ISATAP interface identifiers (RFC 5214).
        [.., 0 | 0x200, 0x5efe] => [Some(v4(g, h)), None],
        _ => [None, None],
    }
}

const fn v4(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

const fn net4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn net6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

const SPECIAL_V4: [Ipv4Net; 15] = [
    net4(0, 0, 0, 0, 8),
    net4(10, 0, 0, 0, 8),
    net4(100, 64, 0, 0, 10),
    net4(127, 0, 0, 0, 8),
    net4(169, 254, 0, 0, 16),
    net4(172, 16, 0, 0, 12),
    net4(192, 0, 0, 0, 24),
    net4(192, 0, 2, 0, 24),
    net4(192, 88, 99, 0, 24),
    net4(192, 168, 0, 0, 16),
    net4(198, 18, 0, 0, 15),
    net4(198, 51, 100, 0, 24),
    net4(203, 0, 113, 0, 24),
    net4(224, 0, 0, 0, 4),
    net4(240, 0, 0, 0, 4),
];

const SPECIAL_V6: [Ipv6Net; 13] = [
    // Unspecified, loopback and the v4-compatible forms, which nothing routes any more.
    net6([0, 0, 0, 0, 0, 0, 0, 0], 96),
    // Unwrapped before this table is asked; here so that a slip refuses instead of allowing.
    net6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
    // v4-translated (RFC 2765).
    net6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96),
    // NAT64 of the local network (RFC 8215): leads wherever that network likes.
    net6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    // Discard-only.
    net6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
    // Teredo.
    net6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),
    // Documentation, old and new.
    net6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    net6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    // Segment routing (RFC 9602).
    net6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
    net6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    net6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    net6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
    net6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
];

const METADATA_V4: [Ipv4Net; 4] = [
    // AWS, Google, Azure, Oracle, DigitalOcean, Hetzner, Tencent, Scaleway, ECS and EKS credentials.
    net4(169, 254, 0, 0, 16),
    // Oracle Cloud Classic.
    net4(192, 0, 0, 192, 32),
    // Alibaba Cloud.
    net4(100, 100, 100, 200, 32),
    // Azure's wire server, which looks like any public address.
    net4(168, 63, 129, 16, 32),
];

const METADATA_V6: [Ipv6Net; 3] = [
    // AWS instance metadata, EKS credentials, resolver.
    net6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32),
    // Google.
    net6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
    // Scaleway.
    net6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128),
];
