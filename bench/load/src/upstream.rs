//! A provider that costs next to nothing: fixed answers, and streams whose every event is a write of its own.

use crate::Outcome;
use crate::http::find;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What every whole answer holds, so that a client can tell it from a gateway's own.
pub(crate) const MARKER: &str = "marker-5b1e";

pub(crate) async fn serve(listen: &str) -> Outcome<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::task::spawn_local(async move {
            // A client that leaves is no news to a provider.
            let _ = converse(socket).await;
        });
    }
}

async fn converse(mut socket: TcpStream) -> Outcome<()> {
    let (plain, mut buffer) = (plain_answer(), Vec::with_capacity(16 * 1024));
    loop {
        let Some(end) = whole_request(&buffer)? else {
            if socket.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let request = &buffer[..end];
        if find(request, b"\"stream\":true").is_some() || find(request, b"\"stream\": true").is_some() {
            let plan = Plan::of(request);
            stream(&mut socket, &plan).await?;
        } else {
            socket.write_all(&plain).await?;
        }
        buffer.drain(..end);
    }
}

/// Where the first request in the buffer ends; None while it is not whole.
fn whole_request(buffer: &[u8]) -> Outcome<Option<usize>> {
    let Some(head) = find(buffer, b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
    let mut length = 0;
    for line in buffer[..head].split(|byte| *byte == b'\n') {
        if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:") {
            length = std::str::from_utf8(&line[15..])?.trim().parse()?;
        }
    }
    Ok((buffer.len() >= head + length).then_some(head + length))
}

fn plain_answer() -> Vec<u8> {
    let body = format!(
        "{{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"A fox is a small wild dog with a bushy tail, and this is {MARKER}.\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":14,\"completion_tokens\":21,\"total_tokens\":35}}}}"
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

struct Plan {
    chunks: u64,
    delay: Duration,
    first: Duration,
}

impl Plan {
    fn of(request: &[u8]) -> Self {
        let micros = |name: &str| Duration::from_micros(number(request, name).unwrap_or(0));
        Self {
            chunks: number(request, "chunks=").unwrap_or(20),
            delay: micros("delay_us="),
            first: micros("first_us="),
        }
    }
}

fn number(request: &[u8], name: &str) -> Option<u64> {
    let from = find(request, name.as_bytes())? + name.len();
    let digits: Vec<u8> = request[from..].iter().copied().take_while(u8::is_ascii_digit).take(9).collect();
    String::from_utf8(digits).ok()?.parse().ok()
}

async fn stream(socket: &mut TcpStream, plan: &Plan) -> Outcome<()> {
    let event = |choices: &str, more: &str| {
        chunk(&format!(
            "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{choices}]{more}}}\n\n"
        ))
    };
    let word = event("{\"index\":0,\"delta\":{\"content\":\" fox\"},\"finish_reason\":null}", "");
    wait(plan.first).await;
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n").await?;
    for number in 0..plan.chunks {
        socket.write_all(&word).await?;
        if number + 1 < plan.chunks {
            wait(plan.delay).await;
        }
    }
    socket.write_all(&event("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}", "")).await?;
    socket
        .write_all(&event(
            "",
            ",\"usage\":{\"prompt_tokens\":14,\"completion_tokens\":200,\"total_tokens\":214}",
        ))
        .await?;
    socket.write_all(&chunk("data: [DONE]\n\n")).await?;
    socket.write_all(b"0\r\n\r\n").await?;
    Ok(())
}

/// With no delay, a turn for the others: streams are then written in alternation, as from a real provider.
async fn wait(delay: Duration) {
    if delay.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(delay).await;
    }
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}
