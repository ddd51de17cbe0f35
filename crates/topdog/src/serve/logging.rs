//! Logs to standard error, one line an event, without anything shaped like a key.

use crate::config::{LogConfig, LogFormat};
use std::io::{self, Write};
use topdog_wire::redact::redact_error_body;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// From here on events are logged.
pub(super) fn start(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&config.level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(RedactingStderr);
    match config.format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging can't be started: {error}"))
}

/// The second line of defence: no event should hold a secret, and if one does, it is not written.
struct RedactingStderr;

impl<'a> MakeWriter<'a> for RedactingStderr {
    type Writer = Line<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(io::stderr())
    }
}

/// A log line, which the formatter writes as a whole.
struct Line<W>(W);

impl<W: Write> Write for Line<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&redact_error_body(line, b""))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &str) -> String {
        let mut out = Line(Vec::new());
        out.write_all(line.as_bytes()).unwrap();
        String::from_utf8(out.0).unwrap()
    }

    #[test]
    fn whatever_is_shaped_like_a_key_is_not_written() {
        for secret in [
            "sk-proj-abcdefghijklmnop1234",
            "td_live_0123456789abABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq123456",
            "td_operator_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq",
        ] {
            for line in [
                format!("{{\"message\":\"refused {secret} again\",\"n\":1}}\n"),
                format!("2026-11-24 WARN refused {secret}\n"),
                format!("{{\"message\":\"authorization: Bearer {secret}\"}}\n"),
            ] {
                let text = written(&line);
                assert!(!text.contains(secret) && text.contains("[redacted]"), "{text}");
                assert!(text.ends_with('\n'));
            }
        }
    }

    #[test]
    fn an_ordinary_line_stays_as_it_is() {
        let line = "{\"level\":\"INFO\",\"message\":\"serving\",\"request_id\":\"req_0198f2c0\",\"key\":\"key_1\"}\n";
        assert_eq!(written(line), line);
    }
}
