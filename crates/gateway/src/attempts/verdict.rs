//! What a failed attempt says: which failure it is, and how long it asks to be left alone.

use crate::translation::Translation;
use http::HeaderMap;
use http::header::{HeaderName, RETRY_AFTER};
use memchr::memmem;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use topdog_domain::Timestamp;
use topdog_domain::routing::Failure;
use topdog_egress::SendError;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Why there is no head.
pub(super) const fn unsent(error: &SendError) -> Failure {
    match error {
        SendError::Refused(_) | SendError::Connect(_) => Failure::Connect,
        SendError::HeadTimeout => Failure::Timeout,
        SendError::BeforeHead(_) => Failure::Broken,
    }
}

/// What an error means; none where the request itself is at fault.
pub(super) fn answered(status: u16, body: &[u8]) -> Option<Failure> {
    let says = |words: &[&str]| words.iter().any(|word| memmem::find(body, word.as_bytes()).is_some());
    Failure::of_status(status, says(&USED_UP), says(&TOO_LONG))
}

/// The words of an account that is used up: OpenAI's codes (platform.openai.com, "Error codes"), Anthropic's message
/// (platform.claude.com, "Errors").
const USED_UP: [&str; 3] = ["insufficient_quota", "billing_hard_limit_reached", "credit balance is too low"];

/// The words of a request that is too long: OpenAI's code, Anthropic's messages, Google's message.
const TOO_LONG: [&str; 4] = [
    "context_length_exceeded",
    "prompt is too long",
    "exceed context limit",
    "exceeds the maximum number of tokens",
];

/// How long the provider asks to be left alone: OpenAI's milliseconds, the seconds or the date of RFC 9110 (10.2.3), or
/// what its body says.
pub(super) fn told_to_wait(
    headers: &HeaderMap,
    body: &[u8],
    translation: Option<&Translation>,
    now: Timestamp,
) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(millis) = text(&RETRY_AFTER_MS).and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    match text(&RETRY_AFTER) {
        Some(text) => match text.parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Err(_) => Some(until(httpdate::parse_http_date(text).ok()?, now)),
        },
        None => translation.and_then(|translation| translation.retry_after(body)),
    }
}

fn until(date: SystemTime, now: Timestamp) -> Duration {
    let now = Duration::from_micros(u64::try_from(now.micros()).unwrap_or_default());
    date.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn told(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        told_to_wait(&headers, b"", None, Timestamp::from_micros(784_111_777_000_000))
    }

    #[test]
    fn each_way_to_ask_for_patience_is_understood() {
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        for (headers, expected) in [
            (&[][..], None),
            (&[("retry-after", "7")], seconds(7.0)),
            (&[("retry-after", "0.5")], seconds(0.5)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT")], seconds(3.0)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:30 GMT")], seconds(0.0)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "1e300")], None),
            (&[("retry-after", "nan")], None),
            (&[("retry-after", "7"), ("retry-after-ms", "250")], seconds(0.25)),
        ] {
            assert_eq!(told(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn an_account_that_is_used_up_is_no_rate_limit() {
        let quota = br#"{"error":{"code":"insufficient_quota"}}"#;
        assert_eq!(answered(429, quota), Some(Failure::Quota));
        assert_eq!(answered(429, br#"{"error":{"code":"rate_limit_exceeded"}}"#), Some(Failure::RateLimited));
        assert_eq!(answered(400, br#"{"error":{"code":"context_length_exceeded"}}"#), Some(Failure::TooLong));
        assert_eq!(answered(400, quota), None);
        assert_eq!(answered(404, b""), None);
        assert_eq!(answered(529, b""), Some(Failure::Overloaded));
    }
}
