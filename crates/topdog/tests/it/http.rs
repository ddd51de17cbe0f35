//! HTTP/1.1 by hand, so that a test decides about every byte and sees every byte.

use crate::secrets::{Asked, Secrets};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long anything may take that should be there soon; generous, for machines that are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What comes within [`PATIENCE`].
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it took too long")
}

/// The client's end of a connection.
pub(crate) struct Line {
    socket: TcpStream,
    unread: Vec<u8>,
    /// Who hears what is said here, and what was asked last.
    secrets: Option<Arc<Secrets>>,
    asked: Asked,
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Line {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).await.expect("a connection")
    }

    /// None where nobody listens.
    #[expect(clippy::disallowed_methods, reason = "the test is the client, not the product")]
    async fn try_connect(address: SocketAddr) -> Option<Self> {
        let socket = soon(TcpStream::connect(address)).await.ok()?;
        socket.set_nodelay(true).unwrap();
        let secrets = Secrets::at(address);
        Some(Self { socket, unread: Vec::new(), secrets, asked: Asked::default() })
    }

    /// Sends bytes as they are; false where the other side takes no more.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        if let Some(secrets) = &self.secrets {
            self.asked = secrets.asked(bytes.as_ref());
        }
        soon(self.socket.write_all(bytes.as_ref())).await.is_ok()
    }

    /// Nobody hears what is said here: a caller may be told what it has sent.
    pub(crate) fn unheard(mut self) -> Self {
        self.secrets = None;
        self
    }

    /// The head of the next answer; none where the connection ends without one.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&self.unread[..end]).into_owned();
                self.unread.drain(..end + 4);
                let mut lines = text.split("\r\n");
                let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
                let headers = lines.filter_map(|line| line.split_once(':'));
                let headers =
                    headers.map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned())).collect();
                return Some(Head { status, headers });
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// The body behind a head; whether it ended as it should, and what came.
    pub(crate) async fn body(&mut self, head: &Head) -> (bool, Vec<u8>) {
        if head.header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            let mut body = Vec::new();
            loop {
                match self.chunk().await {
                    Some(chunk) if chunk.is_empty() => return (true, body),
                    Some(chunk) => body.extend(chunk),
                    None => return (false, body),
                }
            }
        }
        let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            if !self.read_more().await {
                return (false, std::mem::take(&mut self.unread));
            }
        }
        (true, self.unread.drain(..length).collect())
    }

    /// The next chunk of a chunked body, empty at its end; none where the connection breaks off.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n") {
                let size = std::str::from_utf8(&self.unread[..end]).ok()?;
                let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
                let whole = end + 2 + size + 2;
                if self.unread.len() >= whole {
                    let chunk = self.unread[end + 2..end + 2 + size].to_vec();
                    self.unread.drain(..whole);
                    return Some(chunk);
                }
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// A whole answer.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let head = self.head().await?;
        let (_, body) = self.body(&head).await;
        if let Some(secrets) = &self.secrets {
            secrets.answered(&self.asked, head.status, &format!("{head:?}"), &body);
        }
        Some(Answer { head, body })
    }

    /// Reads one byte and throws it away; false at the end.
    pub(crate) async fn byte(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.socket.read(&mut byte).await, Ok(read) if read > 0)
    }

    /// Has the other side ended the connection?
    pub(crate) async fn is_closed(&mut self) -> bool {
        while self.read_more().await {}
        true
    }

    async fn read_more(&mut self) -> bool {
        matches!(soon(self.socket.read_buf(&mut self.unread)).await, Ok(read) if read > 0)
    }
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The stable code of a refusal, in OpenAI's shape or as a problem.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        let code = json.pointer("/error/code").or_else(|| json.pointer("/code"));
        code.and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// A request as text, with its length.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: topdog.test\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    if !body.is_empty() || method == "POST" {
        bytes.extend(format!("content-length: {}\r\n", body.len()).bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// Sends one request on a connection of its own; none where there is no connection, or it ends without an answer.
pub(crate) async fn try_send(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut line = Line::try_connect(address).await?;
    line.send(request).await;
    line.answer().await
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
