//! A provider that does as it is told, and remembers what it was sent.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What to do with a request.
#[derive(Clone)]
pub(crate) enum Script {
    /// This answer, with its length.
    Answer { status: u16, content_type: &'static str, body: String },
    /// These pieces as chunks, so long apart; then the proper end, or none.
    Chunks { pieces: Vec<Vec<u8>>, pause: Duration, has_end: bool },
    /// This head, to which the length is added, and this body.
    Verbatim { head: String, body: Vec<u8> },
    /// These pieces as chunks, one write each, and the proper end.
    Pieces { content_type: &'static str, pieces: Vec<Vec<u8>> },
    /// These bytes, head and all, one write each, so long apart; then the connection is closed.
    Raw { writes: Vec<Vec<u8>>, pause: Duration },
    /// The beginning of a JSON answer, whose end never comes.
    Torn,
    /// The head of an error, whose body never ends.
    HangingError,
    /// No answer at all.
    Silence,
    /// Nothing is read, not even the request.
    Deaf,
    /// The connection is closed at once.
    Close,
}

impl Script {
    pub(crate) fn json(body: &str) -> Self {
        Self::Answer { status: 200, content_type: "application/json", body: body.to_owned() }
    }

    pub(crate) fn stream(events: &[&str]) -> Self {
        let pieces = events.iter().map(|e| format!("data: {e}\n\n").into_bytes()).collect();
        Self::Chunks { pieces, pause: Duration::from_millis(2), has_end: true }
    }

    pub(crate) fn dying(self) -> Self {
        match self {
            Self::Chunks { pieces, pause, .. } => Self::Chunks { pieces, pause, has_end: false },
            other => other,
        }
    }
}

#[derive(Default)]
pub(crate) struct Seen {
    /// Heads and bodies, as they came.
    pub(crate) requests: Vec<(String, String)>,
    /// Their heads, letter by letter.
    pub(crate) heads: Vec<String>,
    /// Chunks that have been written whole.
    pub(crate) chunks: usize,
    /// When connections were closed by the other side.
    pub(crate) closed_at: Vec<Instant>,
}

/// What to do with single requests.
type Next = Rc<RefCell<VecDeque<Script>>>;
/// What to do when a request has come.
type Hook = Rc<RefCell<Option<Box<dyn Fn()>>>>;

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Rc<RefCell<Seen>>,
    script: Rc<RefCell<Script>>,
    /// What it does with the next requests, before it does as always.
    next: Next,
    hook: Hook,
}

impl Upstream {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            seen: Rc::default(),
            script: Rc::new(RefCell::new(script)),
            next: Rc::default(),
            hook: Rc::default(),
        };
        let (seen, hook) = (upstream.seen.clone(), upstream.hook.clone());
        let scripts = (upstream.next.clone(), upstream.script.clone());
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // What the kernel would hold back is late where time is virtual.
                stream.set_nodelay(true).unwrap();
                tokio::task::spawn_local(serve(stream, seen.clone(), scripts.clone(), hook.clone()));
            }
        });
        upstream
    }

    pub(crate) fn now_does(&self, script: Script) {
        *self.script.borrow_mut() = script;
    }

    /// Does these with the next requests, one each, and after them as always.
    pub(crate) fn next_does(&self, scripts: impl IntoIterator<Item = Script>) {
        self.next.borrow_mut().extend(scripts);
    }

    /// Does this when a request has come, before it is answered.
    pub(crate) fn first_does(&self, hook: impl Fn() + 'static) {
        *self.hook.borrow_mut() = Some(Box::new(hook));
    }

    /// Waits until nothing more can be written: in forty turns of all tasks no chunk was.
    pub(crate) async fn is_held_back(&self) {
        let (mut written, mut turns) = (0, 0);
        while turns < 40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let chunks = self.seen.borrow().chunks;
            turns = if chunks == written { turns + 1 } else { 0 };
            turns *= usize::from(chunks > 0);
            written = chunks;
        }
    }

    pub(crate) fn last(&self) -> (String, String) {
        self.seen.borrow().requests.last().cloned().expect("a request came")
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.borrow().requests.len()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: Rc<RefCell<Seen>>,
    (next, script): (Next, Rc<RefCell<Script>>),
    hook: Hook,
) {
    if matches!(*script.borrow(), Script::Deaf) {
        return std::future::pending().await;
    }
    while let Some((head, body)) = read_request(&mut stream).await {
        seen.borrow_mut().requests.push((head.to_ascii_lowercase(), body));
        seen.borrow_mut().heads.push(head);
        if let Some(hook) = hook.borrow().as_ref() {
            hook();
        }
        let script = next.borrow_mut().pop_front().unwrap_or_else(|| script.borrow().clone());
        let is_open = play(&mut stream, script, &seen).await;
        if !is_open {
            break;
        }
    }
    seen.borrow_mut().closed_at.push(Instant::now());
}

async fn play(stream: &mut TcpStream, script: Script, seen: &RefCell<Seen>) -> bool {
    match script {
        Script::Answer { status, content_type, body } => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nx-request-id: up-1\r\n\
                 set-cookie: a=b\r\nx-ratelimit-limit-requests: 7\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await.is_ok()
        }
        Script::Chunks { pieces, pause, has_end } => {
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            if stream.write_all(head.as_bytes()).await.is_err() {
                return false;
            }
            for piece in pieces {
                let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
                if stream.write_all(&chunk).await.is_err() {
                    return false;
                }
                seen.borrow_mut().chunks += 1;
                if is_closed_within(stream, pause).await {
                    return false;
                }
            }
            has_end && stream.write_all(b"0\r\n\r\n").await.is_ok()
        }
        Script::Verbatim { head, body } => {
            let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body].concat()).await.is_ok()
        }
        Script::Pieces { content_type, pieces } => {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let mut is_open = stream.write_all(head.as_bytes()).await.is_ok();
            for piece in pieces {
                let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
                is_open = is_open && stream.write_all(&chunk).await.is_ok();
                // So that the other side reads it alone.
                tokio::task::yield_now().await;
            }
            is_open && stream.write_all(b"0\r\n\r\n").await.is_ok()
        }
        Script::Raw { writes, pause } => {
            for bytes in writes {
                if stream.write_all(&bytes).await.is_err() || is_closed_within(stream, pause).await {
                    return false;
                }
            }
            false
        }
        Script::Torn => {
            let torn =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"id\":";
            let _ = stream.write_all(torn.as_bytes()).await;
            false
        }
        Script::HangingError => {
            let head = "HTTP/1.1 500 X\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.read(&mut [0; 1]).await;
            false
        }
        Script::Silence => {
            let _ = stream.read(&mut [0; 1]).await;
            false
        }
        Script::Close | Script::Deaf => false,
    }
}

async fn is_closed_within(stream: &mut TcpStream, pause: Duration) -> bool {
    matches!(tokio::time::timeout(pause, stream.read(&mut [0; 1])).await, Ok(Ok(0) | Err(_)))
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let lower = head.to_ascii_lowercase();
            let told = lower.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
            let length = told.unwrap_or(0usize);
            if bytes.len() >= end + 4 + length {
                return Some((head, String::from_utf8_lossy(&bytes[end + 4..]).into_owned()));
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&piece[..n]),
            _ => return None,
        }
    }
}
