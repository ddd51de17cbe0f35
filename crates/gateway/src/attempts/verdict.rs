//! What a failed attempt says: which failure it is, and how long it asks to be left alone.

use crate::translation::Translation;
use http::HeaderMap;
use http::header::{HeaderName, RETRY_AFTER};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use topdog_domain::Timestamp;
use topdog_domain::routing::Failure;
use topdog_egress::SendError;
use topdog_wire::sse::{Event, Scanner};
use topdog_wire::translate::{Dialect, retry_after};

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

/// What the beginning of a stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// No whole event yet.
    Partial,
    /// Nothing but that the connection lives.
    Alive,
    /// An answer, or an error that the request itself is to blame for.
    Answer,
    /// An error behind a head that said all is well.
    Failed(Failure),
}

/// Reads the first event of a stream that says something.
pub(super) fn beginning(mut bytes: &[u8]) -> Beginning {
    let (mut scanner, mut found) = (Scanner::new(), Beginning::Partial);
    while let Some(end) = scanner.next_end(bytes) {
        let (event, rest) = bytes.split_at(end);
        bytes = rest;
        found = Beginning::Alive;
        let text = String::from_utf8_lossy(event);
        let event = Event::read(&text);
        let Some(data) = event.data.filter(|_| event.name != Some("ping")) else { continue };
        return told(event.name, &data).map_or(Beginning::Answer, Beginning::Failed);
    }
    found
}

/// The failure that an event tells, if it does: OpenAI's chat has a member `error`, Anthropic and OpenAI's responses a
/// type.
fn told(name: Option<&str>, data: &str) -> Option<Failure> {
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(default, borrow, rename = "type")]
        kind: Option<Cow<'a, str>>,
        #[serde(default, borrow)]
        error: Option<&'a RawValue>,
    }
    let told: Told<'_> = serde_json::from_str(data).ok()?;
    let has_error = told.error.is_some_and(|error| error.get() != "null");
    if name != Some("error") && told.kind.as_deref() != Some("error") && !has_error {
        return None;
    }
    let says = |words: &[&str]| words.iter().any(|word| data.contains(word));
    if says(&USED_UP) {
        return Some(Failure::Quota);
    }
    if says(&TOO_LONG) {
        return Some(Failure::TooLong);
    }
    if says(&["rate_limit", "too_many_requests"]) {
        return Some(Failure::RateLimited);
    }
    if says(&["overloaded", "slow_down"]) {
        return Some(Failure::Overloaded);
    }
    (!says(&["invalid_request", "invalid_prompt"])).then_some(Failure::ServerError)
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
        None => match translation {
            Some(translation) => translation.retry_after(body),
            // Of those that pass as they came, only Gemini's bodies say it.
            None => retry_after(Dialect::Gemini, body),
        },
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
        let gemini = br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}"#;
        let now = Timestamp::from_micros(0);
        assert_eq!(told_to_wait(&HeaderMap::new(), gemini, None, now), seconds(34.0));
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

    #[test]
    fn an_error_behind_a_good_head_is_seen_and_nothing_else_is_taken_for_one() {
        let overloaded =
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
        for (stream, expected) in [
            ("", Beginning::Partial),
            ("data: {\"error\":", Beginning::Partial),
            (": OPENROUTER PROCESSING\n\n", Beginning::Alive),
            ("event: ping\ndata: {\"type\":\"ping\"}\n\n", Beginning::Alive),
            (overloaded, Beginning::Failed(Failure::Overloaded)),
            (
                &format!(": hi\r\n\r\nevent: ping\ndata: {{}}\n\n{overloaded}"),
                Beginning::Failed(Failure::Overloaded),
            ),
            (
                "data: {\"error\":{\"code\":\"rate_limit_exceeded\"}}\n\n",
                Beginning::Failed(Failure::RateLimited),
            ),
            ("data: {\"error\":{\"message\":\"boom\"}}\n\n", Beginning::Failed(Failure::ServerError)),
            ("data: {\"error\":{\"type\":\"invalid_request_error\"}}\n\n", Beginning::Answer),
            ("data: {\"error\":null,\"choices\":[]}\n\n", Beginning::Answer),
            ("data: {\"choices\":[{\"delta\":{\"content\":\"error overloaded\"}}]}\n\n", Beginning::Answer),
            ("data: [DONE]\n\n", Beginning::Answer),
            (&format!("data: {{\"choices\":[]}}\n\n{overloaded}"), Beginning::Answer),
        ] {
            assert_eq!(beginning(stream.as_bytes()), expected, "{stream}");
        }
    }
}
