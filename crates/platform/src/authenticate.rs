use crate::platform::Platform;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use std::net::IpAddr;
use topdog_domain::api_key::Token;
use topdog_domain::directory::Caller;
use topdog_domain::{Refusal, Timestamp};

/// Who calls: one of the two kinds there are.
pub(crate) enum Principal {
    /// The operator, by the token in the data folder.
    Operator,
    /// An organisation's own key.
    Key(Box<Caller>),
}

/// What an operator's token begins with.
pub const OPERATOR_TOKEN_PREFIX: &str = "td_operator_";

/// What is kept of the operator's token, which has 256 bits of its own and needs no salt.
#[must_use]
pub fn operator_token_hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

/// Finds who presents the credential, and whether it still is one, here and now.
pub(crate) fn authenticate(
    platform: &Platform,
    headers: &HeaderMap,
    ip: Option<IpAddr>,
    now: Timestamp,
) -> Result<Principal, Refusal> {
    let presented = presented(headers)?;
    if presented.starts_with(OPERATOR_TOKEN_PREFIX) {
        let hash = operator_token_hash(presented);
        return verify_slices_are_equal(&hash, &platform.parts.operator_token_hash)
            .map(|()| Principal::Operator)
            .map_err(|_| Refusal::UnknownKey);
    }
    let token = Token::parse(presented).ok_or(Refusal::UnknownKey)?;
    let caller =
        platform.parts.directory.snapshot().caller(token.public_id()).cloned().ok_or(Refusal::UnknownKey)?;
    let is_theirs = platform.parts.hasher.verify(&token, &caller.key, &caller.secret);
    if caller.key.revoked_at.is_some() || !is_theirs {
        return Err(Refusal::UnknownKey);
    }
    let is_past = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
    if is_past(caller.key.expires_at) || is_past(caller.secret.not_after) {
        return Err(Refusal::ExpiredKey);
    }
    let is_allowed = match ip {
        Some(ip) => caller.key.allows_ip(ip),
        None => caller.key.ip_allow.is_empty(),
    };
    if !is_allowed {
        return Err(Refusal::IpNotAllowed);
    }
    caller.require_place(&platform.parts.directory.tiers())?;
    Ok(Principal::Key(Box::new(caller)))
}

static KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// The one credential of a request. Two different ones are refused: which of them counts must not be a matter
/// of which header another part of the way looks at first.
fn presented(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut found: Option<&str> = None;
    let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| {
        let text = value.to_str().map_err(|_| Refusal::BadHeader("authorization"))?;
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Refusal::MissingKey) }
    });
    let plain = KEY_HEADERS
        .iter()
        .flat_map(|name| headers.get_all(name))
        .map(|value| value.to_str().map(str::trim).map_err(|_| Refusal::BadHeader("x-api-key")));
    for credential in bearer.chain(plain) {
        let credential = credential?;
        if found.is_some_and(|other| other != credential) {
            return Err(Refusal::BadHeader("authorization"));
        }
        found = Some(credential);
    }
    found.filter(|text| !text.is_empty()).ok_or(Refusal::MissingKey)
}
