//! As much of HTTP/1.1 as the bench needs: one prepared request, and a reader for answers of either framing.

use crate::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request, ready to be written any number of times.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) host: String,
    bytes: Vec<u8>,
}

impl Request {
    pub(crate) fn new(host: &str, path: &str, headers: &str, body: &[u8]) -> Self {
        let mut bytes = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", body.len());
        for line in headers.lines().filter(|line| !line.is_empty()) {
            bytes.push_str(line);
            bytes.push_str("\r\n");
        }
        bytes.push_str("\r\n");
        Self { host: host.to_owned(), bytes: [bytes.as_bytes(), body].concat() }
    }
}

/// How the body of the answer at hand is framed, and how much of it is still to come.
enum Framing {
    Length(usize),
    /// Bytes left of the chunk at hand; None between chunks.
    Chunked(Option<usize>),
    Ended,
}

/// A kept connection that reads one answer at a time.
pub(crate) struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
    framing: Framing,
}

impl Connection {
    pub(crate) async fn open(host: &str) -> Outcome<Self> {
        let socket = TcpStream::connect(host).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(16 * 1024), framing: Framing::Ended })
    }

    /// Sends the request and reads the answer's head, which must say 200.
    pub(crate) async fn send(&mut self, request: &Request) -> Outcome<()> {
        self.socket.write_all(&request.bytes).await?;
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            return Err(format!("refused: {}", head.lines().next().unwrap_or_default()).into());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map(str::trim);
        self.framing = match length {
            Some(length) => Framing::Length(length.parse()?),
            None if head.contains("transfer-encoding: chunked") => Framing::Chunked(None),
            None => return Err("an answer without framing".into()),
        };
        self.buffer.drain(..end);
        Ok(())
    }

    /// Appends the next piece of the body to `into`; false when the body has ended.
    pub(crate) async fn read(&mut self, into: &mut Vec<u8>) -> Outcome<bool> {
        loop {
            match self.framing {
                Framing::Ended | Framing::Length(0) => return Ok(false),
                Framing::Length(left) if !self.buffer.is_empty() => {
                    let taken = left.min(self.buffer.len());
                    into.extend(self.buffer.drain(..taken));
                    self.framing = Framing::Length(left - taken);
                    return Ok(true);
                }
                // The CRLF behind a chunk's data belongs to it.
                Framing::Chunked(Some(left)) if self.buffer.len() >= left + 2 => {
                    into.extend_from_slice(&self.buffer[..left]);
                    self.buffer.drain(..left + 2);
                    self.framing = if left == 0 { Framing::Ended } else { Framing::Chunked(None) };
                    return Ok(left > 0);
                }
                Framing::Chunked(None) => {
                    if let Some(at) = find(&self.buffer, b"\r\n") {
                        let size = std::str::from_utf8(&self.buffer[..at])?.trim();
                        self.framing = Framing::Chunked(Some(usize::from_str_radix(size, 16)?));
                        self.buffer.drain(..at + 2);
                        continue;
                    }
                }
                Framing::Length(_) | Framing::Chunked(Some(_)) => {}
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Outcome<()> {
        match self.socket.read_buf(&mut self.buffer).await? {
            0 => Err("the connection ended inside an answer".into()),
            _ => Ok(()),
        }
    }
}

pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}
