//! Logs to standard error, one line an event, without anything shaped like a key.
//!
//! A thread of its own writes: a slow terminal or a full pipe must never delay a request. Where it falls behind,
//! lines are dropped and counted.

use crate::config::{LogConfig, LogFormat};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use topdog_wire::redact::redact_error_body;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Logging under way; what is queued is written before it goes.
pub(super) struct Logging {
    queue: SyncSender<Message>,
    writer: Option<JoinHandle<()>>,
}

/// From here on events are logged.
pub(super) fn start(config: &LogConfig) -> anyhow::Result<Logging> {
    let (logging, lines) = begin(io::stderr())?;
    let filter = EnvFilter::builder().parse(&config.level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    match config.format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging can't be started: {error}"))?;
    Ok(logging)
}

/// Lines that may wait; some megabytes.
const QUEUE: usize = 16_384;

enum Message {
    Line(Vec<u8>),
    Close,
}

fn begin(out: impl Write + Send + 'static) -> io::Result<(Logging, Lines)> {
    let (queue, messages) = sync_channel(QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let lines = Lines { queue: queue.clone(), dropped: dropped.clone() };
    let writer = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_all(&messages, &dropped, out))?;
    Ok((Logging { queue, writer: Some(writer) }, lines))
}

fn write_all(messages: &Receiver<Message>, dropped: &AtomicU64, mut out: impl Write) {
    while let Ok(Message::Line(line)) = messages.recv() {
        // The second line of defence: no event should hold a secret, and if one does, it is not written.
        let mut written = out.write_all(&redact_error_body(&line, b""));
        let count = dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            written = written.and_then(|()| {
                writeln!(out, r#"{{"level":"WARN","message":"log lines were dropped","count":{count}}}"#)
            });
        }
        // Where nobody reads the log any more, the server goes on.
        let _ = written.and_then(|()| out.flush());
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // Both fail only where the thread is gone already.
        let _ = self.queue.send(Message::Close);
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

/// Where the formatter puts its lines.
struct Lines {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Lines {
    /// The formatter hands over a line as a whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place to write to that can be looked at.
    #[derive(Clone, Default)]
    struct Page(Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(line: &str) -> String {
        let page = Page::default();
        let (logging, lines) = begin(page.clone()).unwrap();
        (&lines).write_all(line.as_bytes()).unwrap();
        drop(logging);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
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

    #[test]
    fn a_writer_that_is_stuck_delays_nobody_and_the_loss_is_told() {
        let page = Page::default();
        let stuck = page.0.lock().unwrap();
        let (logging, lines) = begin(page.clone()).unwrap();
        for _ in 0..QUEUE + 100 {
            (&lines).write_all(b"{}\n").unwrap();
        }
        drop(stuck);
        drop(logging);
        let bytes = page.0.lock().unwrap().clone();
        assert!(String::from_utf8(bytes).unwrap().contains("log lines were dropped"));
    }
}
