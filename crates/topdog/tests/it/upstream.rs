//! A provider that does what the test says: our own, so that it can die, stall and look at what it is sent.

use crate::http::soon;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What it does with each request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// Answers with a whole completion of 7 input and 3 output tokens.
    Completion,
    /// Streams so many events, then usage where it was asked for, then `[DONE]`.
    Stream { events: usize, every: Duration },
    /// Streams so many events, then drops the connection.
    StreamThenDie { events: usize },
    /// Streams as long as somebody reads.
    Endless,
    /// Never answers.
    Silence,
    /// Refuses with that status, and an error that repeats the key it was sent.
    Refuse { status: u16 },
    /// Fails with that status or, of a success's, within the answer, and repeats the key in every form.
    Echo { status: u16 },
    /// The same, and says that the body is encoded.
    EchoEncoded { status: u16 },
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(':'));
        pairs.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// The provider; it lives on the test's runtime.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    hang_ups: watch::Receiver<Vec<Instant>>,
    arrivals: watch::Receiver<usize>,
}

struct Seen {
    reply: Mutex<Reply>,
    requests: Mutex<Vec<Received>>,
    arrivals: watch::Sender<usize>,
    written: AtomicU64,
    hang_ups: watch::Sender<Vec<Instant>>,
}

impl Upstream {
    pub(crate) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (hang_up, hang_ups) = watch::channel(Vec::new());
        let (arrival, arrivals) = watch::channel(0);
        let seen = Arc::new(Seen {
            reply: Mutex::new(reply),
            requests: Mutex::default(),
            arrivals: arrival,
            written: AtomicU64::new(0),
            hang_ups: hang_up,
        });
        let shared = seen.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, shared.clone()));
            }
        });
        Self { address, seen, hang_ups, arrivals }
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it does from now on.
    pub(crate) fn reply_with(&self, reply: Reply) {
        *self.seen.reply.lock().unwrap() = reply;
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn has_received(&mut self, count: usize) {
        soon(self.arrivals.wait_for(|arrived| *arrived >= count)).await.unwrap();
    }

    /// Waits until a connection with an unfinished answer is closed from the other side; when that was.
    pub(crate) async fn hung_up(&mut self) -> Instant {
        soon(self.hang_ups.wait_for(|all| !all.is_empty())).await.unwrap()[0]
    }

    /// Bytes of answers that the network has taken.
    pub(crate) fn written(&self) -> u64 {
        self.seen.written.load(Ordering::Relaxed)
    }
}

async fn serve(mut socket: TcpStream, seen: Arc<Seen>) {
    socket.set_nodelay(true).unwrap();
    let mut unread = Vec::new();
    while let Some(request) = receive(&mut socket, &mut unread).await {
        let does_want_usage = request.body.contains("\"include_usage\":true");
        let request_streams = request.body.contains("\"stream\":true");
        let key = request.header("authorization").unwrap_or_default().to_owned();
        let reply = *seen.reply.lock().unwrap();
        seen.requests.lock().unwrap().push(request);
        seen.arrivals.send_modify(|count| *count += 1);
        let done = match reply {
            Reply::Completion => write(&mut socket, &seen, &whole(200, COMPLETION)).await,
            Reply::Refuse { status } => {
                let body = json!({ "error": { "message": format!("bad key: {key}"), "code": "no" } });
                write(&mut socket, &seen, &whole(status, &body.to_string())).await
            }
            Reply::Echo { status } => {
                let does_stream = request_streams && status == 200;
                write(&mut socket, &seen, &echo(status, &key, does_stream, "identity")).await
            }
            Reply::EchoEncoded { status } => {
                write(&mut socket, &seen, &echo(status, &key, false, "gzip")).await
            }
            Reply::Stream { events, every } => {
                stream(&mut socket, &seen, events, every).await
                    && (!does_want_usage || write(&mut socket, &seen, &chunk(USAGE)).await)
                    && write(&mut socket, &seen, &chunk("data: [DONE]\n\n")).await
                    && write(&mut socket, &seen, "0\r\n\r\n").await
            }
            Reply::StreamThenDie { events } => {
                stream(&mut socket, &seen, events, Duration::ZERO).await;
                return;
            }
            Reply::Endless => stream(&mut socket, &seen, usize::MAX, Duration::ZERO).await,
            Reply::Silence => false,
        };
        if !done {
            // Nothing more is said; what ends this is the other side.
            while matches!(socket.read_buf(&mut unread).await, Ok(read) if read > 0) {}
            return seen.hang_ups.send_modify(|all| all.push(Instant::now()));
        }
    }
}

async fn receive(socket: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Received> {
    loop {
        let text = String::from_utf8_lossy(unread).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = Received { head: head.to_owned(), body: String::new() };
            let length: usize = head.header("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                unread.clear();
                return Some(Received { body: body.to_owned(), ..head });
            }
        }
        match socket.read_buf(unread).await {
            Ok(read) if read > 0 => {}
            _ => return None,
        }
    }
}

async fn stream(socket: &mut TcpStream, seen: &Seen, events: usize, every: Duration) -> bool {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    if !write(socket, seen, &head).await {
        return false;
    }
    for number in 0..events {
        let event = format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\
             \"content\":\"word{number} \"}}}}]}}\n\n"
        );
        if !write(socket, seen, &chunk(&event)).await {
            return false;
        }
        if !every.is_zero() {
            // A reader that has hung up is seen here at once; a write would notice later.
            let mut nothing = [0_u8; 1];
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                _ = socket.peek(&mut nothing) => return false,
            }
        }
    }
    true
}

async fn write(socket: &mut TcpStream, seen: &Seen, text: &str) -> bool {
    let is_written = socket.write_all(text.as_bytes()).await.is_ok();
    seen.written.fetch_add(text.len() as u64, Ordering::Relaxed);
    is_written
}

fn whole(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// An answer that repeats the key in its headers and in its body, which is an error or a stream of one.
pub(crate) fn echo(status: u16, authorization: &str, does_stream: bool, encoding: &str) -> String {
    let key = authorization.trim_start_matches("Bearer ");
    let each = |text: &str, one: fn(u8) -> String| text.bytes().map(one).collect::<String>();
    let forms = [
        json!(authorization).to_string(),
        json!(&key[..24]).to_string(),
        format!("\"{}\"", each(key, |byte| format!("\\u{byte:04x}"))),
        format!("\"{}\"", each(key, percent)),
        format!("\"{}\"", each(key, |byte| format!("{byte:02x}"))),
        format!("\"{}\"", STANDARD.encode(authorization)),
        format!("\"{}\"", URL_SAFE_NO_PAD.encode(key)),
    ];
    let error = format!(
        r#"{{"error":{{"message":"bad key, of an echo","code":"no","keys":[{}]}}}}"#,
        forms.join(",")
    );
    let (kind, body) = if does_stream {
        ("text/event-stream", format!("data: {error}\n\n"))
    } else {
        ("application/json", error)
    };
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\
         www-authenticate: Bearer realm=\"{key}\"\r\nx-debug-auth: {authorization}\r\nx-request-id: {key}\r\n\
         x-basic: {}\r\n\r\n{body}",
        body.len(),
        STANDARD.encode(authorization),
    )
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || byte == b'-' {
        char::from(byte).into()
    } else {
        format!("%{byte:02X}")
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

const COMPLETION: &str = r#"{"id":"c","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;

const USAGE: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\
                     \"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\n\n";
