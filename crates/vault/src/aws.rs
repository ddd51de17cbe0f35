//! Keys of Amazon's, and requests signed by them: Signature Version 4.
//!
//! From AWS's reference, "Signature Version 4 for API requests", whose published examples are the tests. The secret
//! half of a key signs and is never sent.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use http::{HeaderName, HeaderValue, Method};
use topdog_domain::Timestamp;
use zeroize::Zeroizing;

/// A pair of access key id and secret, with the token of a session where it is of one, as one text:
/// `ID:SECRET` or `ID:SECRET:TOKEN`.
pub struct AwsKey<'k> {
    id: &'k str,
    secret: &'k str,
    session_token: Option<&'k str>,
}

/// A request, as far as a signature covers it.
pub struct Signing<'r> {
    /// Its method.
    pub method: &'r Method,
    /// Its path, encoded as it is sent.
    pub path: &'r str,
    /// Its query, encoded as it is sent; empty where there is none.
    pub query: &'r str,
    /// As the header `Host` carries it.
    pub host: &'r str,
    /// The header `Content-Type`, where it is to be covered.
    pub content_type: Option<&'r str>,
    /// Its whole body.
    pub payload: &'r [u8],
    /// When it is sent: a signature is good for some minutes.
    pub at: Timestamp,
    /// The region that it is for.
    pub region: &'r str,
    /// The service that it is for, such as `bedrock`.
    pub service: &'r str,
}

/// A header that goes with a signed request.
pub type SignedHeader = (HeaderName, HeaderValue);

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl<'k> AwsKey<'k> {
    /// The pair that the text is; none where it is a bearer key, or no key of Amazon's at all.
    #[must_use]
    pub fn read(text: &'k str) -> Option<Self> {
        let mut parts = text.split(':');
        let (id, secret, session_token) = (parts.next()?, parts.next()?, parts.next());
        let is_base64 = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'))
        };
        let is_good = parts.next().is_none()
            && (8..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && (16..=256).contains(&secret.len())
            && is_base64(secret)
            && session_token.is_none_or(is_base64);
        is_good.then_some(Self { id, secret, session_token })
    }

    /// Does the text look like a pair, or the half of one? What is no pair then is no bearer key either.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.contains(':') || text.starts_with("AKIA") || text.starts_with("ASIA")
    }

    /// The headers that sign a request; none where one of them can't be a header.
    #[must_use]
    pub fn sign(&self, request: &Signing<'_>) -> Option<Vec<SignedHeader>> {
        let time = time_of(request.at)?;
        let date = time.get(..8)?;
        let scope = format!("{date}/{}/{}/aws4_request", request.region, request.service);
        let mut covered = Vec::with_capacity(4);
        if let Some(content_type) = request.content_type {
            covered.push(("content-type", content_type));
        }
        covered.push(("host", request.host));
        covered.push(("x-amz-date", time.as_str()));
        if let Some(token) = self.session_token {
            covered.push(("x-amz-security-token", token));
        }
        let names: Vec<&str> = covered.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let canonical = canonical(request, &covered, &names);
        let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{hash}");
        let key = self.signing_key(date, request.region, request.service);
        let signature = hex(hmac::sign(&key, text.as_bytes()).as_ref());
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.id
        );
        let mut headers =
            vec![(http::header::AUTHORIZATION, sensitive(&authorization)?), (X_AMZ_DATE, sensitive(&time)?)];
        if let Some(token) = self.session_token {
            headers.push((X_AMZ_SECURITY_TOKEN, sensitive(token)?));
        }
        Some(headers)
    }

    /// The key of a day, a region and a service.
    fn signing_key(&self, date: &str, region: &str, service: &str) -> hmac::Key {
        let first = Zeroizing::new(format!("AWS4{}", self.secret));
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
        for word in [date, region, service, "aws4_request"] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, word.as_bytes()).as_ref());
        }
        key
    }
}

/// The canonical request: what both sides make of it to agree on what is signed.
fn canonical(request: &Signing<'_>, covered: &[(&str, &str)], names: &str) -> String {
    let mut text = format!("{}\n", request.method);
    // Every service but S3 encodes once more what is encoded already.
    for byte in request.path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text.push('\n');
    let mut pairs: Vec<&str> = request.query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    text.push_str(&pairs.join("&"));
    text.push('\n');
    for (name, value) in covered {
        let _ = writeln!(text, "{name}:{}", value.trim());
    }
    let payload = hex(digest::digest(&digest::SHA256, request.payload).as_ref());
    let _ = write!(text, "\n{names}\n{payload}");
    text
}

/// As `20150830T123600Z`.
fn time_of(at: Timestamp) -> Option<String> {
    let written = at.to_string();
    let seconds = written.get(..19)?;
    Some(seconds.chars().filter(char::is_ascii_alphanumeric).chain(['Z']).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    //! AWS's published examples: the Signature Version 4 test suite and the reference's own walk-through.

    use super::{AwsKey, Signing};
    use http::Method;
    use topdog_domain::Timestamp;

    const KEY: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn signing(method: &'static Method) -> Signing<'static> {
        Signing {
            method,
            path: "/",
            query: "",
            host: "example.amazonaws.com",
            content_type: None,
            payload: b"",
            at: Timestamp::parse("2015-08-30T12:36:00Z").unwrap(),
            region: "us-east-1",
            service: "service",
        }
    }

    fn signed(key: &str, request: &Signing<'_>) -> String {
        let headers = AwsKey::read(key).unwrap().sign(request).unwrap();
        assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
        headers[0].1.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_test_suites_requests_are_signed_as_it_says() {
        let head = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                    SignedHeaders=host;x-amz-date, Signature=";
        for (request, signature) in [
            (signing(&Method::GET), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (signing(&Method::POST), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                Signing { query: "Param2=value2&Param1=value1", ..signing(&Method::GET) },
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            assert_eq!(signed(KEY, &request), format!("{head}{signature}"));
        }
    }

    #[test]
    fn the_references_walk_through_is_signed_as_it_says() {
        let request = Signing {
            host: "iam.amazonaws.com",
            query: "Action=ListUsers&Version=2010-05-08",
            content_type: Some("application/x-www-form-urlencoded; charset=utf-8"),
            service: "iam",
            ..signing(&Method::GET)
        };
        let told = signed(KEY, &request);
        assert!(
            told.ends_with(
                "SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
            ),
            "{told}"
        );
    }

    #[test]
    fn a_key_is_a_pair_or_a_triple_and_nothing_else() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let token = "IQoJb3JpZ2luX2VjEXAMPLE//////////w==";
        for good in [format!("AKIDEXAMPLE:{secret}"), format!("ASIAEXAMPLE1234567:{secret}:{token}")] {
            assert!(AwsKey::read(&good).is_some(), "{good}");
        }
        for bad in [
            "AKIDEXAMPLE".to_owned(),
            "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl".to_owned(),
            format!("AKIDEXAMPLE:{secret}:"),
            format!("AKIDEXAMPLE:{secret}:{token}:more"),
            format!("AKID/EXAMPLE:{secret}"),
            format!("AKIDEXAMPLE:{secret}\r\nx: y"),
            "AKIDEXAMPLE:short".to_owned(),
            format!(":{secret}"),
        ] {
            assert!(AwsKey::read(&bad).is_none(), "{bad}");
        }
    }
}
