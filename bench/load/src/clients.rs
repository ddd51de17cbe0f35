//! The three loads.

use crate::Outcome;
use crate::http::{Connection, Request};
use crate::upstream::MARKER;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

/// Past this many errors a load has nothing more to say.
const ERRORS_AT_MOST: u64 = 50;

#[derive(Default)]
struct Tally {
    answers: u64,
    events: u64,
    errors: u64,
    latencies_us: Vec<u64>,
    last_error: String,
}

impl Tally {
    fn error(&mut self, error: &dyn std::fmt::Display) {
        self.errors += 1;
        self.last_error = error.to_string().replace(['"', '\\', '\n', '\r'], " ");
    }

    /// One line of JSON: `latency` is to the first event for streams, to the whole answer for paced requests.
    fn print(&mut self, wall: Duration) {
        self.latencies_us.sort_unstable();
        let at = |share: f64| {
            let last = self.latencies_us.len().saturating_sub(1);
            self.latencies_us.get((last as f64 * share).round() as usize).copied().unwrap_or(0)
        };
        println!(
            "{{\"answers\":{},\"events\":{},\"errors\":{},\"wall_s\":{:.3},\"p50_us\":{},\"p99_us\":{},\"last_error\":\"{}\"}}",
            self.answers,
            self.events,
            self.errors,
            wall.as_secs_f64(),
            at(0.5),
            at(0.99),
            self.last_error
        );
    }
}

/// `conns` clients, each asking for one stream after another until the time is up; each begins a `stagger` after the
/// one before it, so that slow streams do not all ask at the same moment.
pub(crate) async fn stream(request: Request, conns: usize, time: Duration, stagger: Duration) -> Outcome<()> {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let started = Instant::now();
    let clients: Vec<_> = (0..conns)
        .map(|number| {
            let (request, tally) = (request.clone(), tally.clone());
            tokio::task::spawn_local(async move {
                tokio::time::sleep(stagger * number as u32).await;
                stream_until(request, started + time, tally).await;
            })
        })
        .collect();
    for client in clients {
        client.await?;
    }
    tally.borrow_mut().print(started.elapsed());
    Ok(())
}

async fn stream_until(request: Request, end: Instant, tally: Rc<RefCell<Tally>>) {
    let mut kept = None;
    while Instant::now() < end && tally.borrow().errors < ERRORS_AT_MOST {
        match one_stream(&mut kept, &request).await {
            Ok((events, first)) => {
                let mut tally = tally.borrow_mut();
                tally.answers += 1;
                tally.events += events;
                tally.latencies_us.push(first.as_micros() as u64);
            }
            Err(error) => {
                kept = None;
                tally.borrow_mut().error(&error);
            }
        }
    }
}

/// One whole stream: its events, and how long the first took.
async fn one_stream(kept: &mut Option<Connection>, request: &Request) -> Outcome<(u64, Duration)> {
    let connection = match kept {
        Some(connection) => connection,
        None => kept.insert(Connection::open(&request.host).await?),
    };
    let started = Instant::now();
    connection.send(request).await?;
    let (mut text, mut events, mut first, mut done) = (Vec::with_capacity(4096), 0, None, false);
    while connection.read(&mut text).await? {
        let mut from = 0;
        while let Some(length) = text[from..].iter().position(|byte| *byte == b'\n') {
            let line = &text[from..from + length];
            if line.starts_with(b"data:") {
                first.get_or_insert_with(|| started.elapsed());
                events += 1;
                done = line.ends_with(b"[DONE]");
            }
            from += length + 1;
        }
        text.drain(..from);
    }
    match first {
        Some(first) if done => Ok((events, first)),
        _ => Err(format!("a stream ended after {events} events without [DONE]").into()),
    }
}

/// Requests on a timetable, whether or not the ones before have been answered: the wait of a request that could not
/// be sent at its time counts.
pub(crate) async fn pace(request: Request, time: Duration, rate: f64) -> Outcome<()> {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let idle = Rc::new(RefCell::new(Vec::<Connection>::new()));
    let (mut ticks, started) = (timetable(time, rate), Instant::now());
    let mut sent = Vec::new();
    while let Some(due) = ticks.recv().await {
        if tally.borrow().errors >= ERRORS_AT_MOST {
            break;
        }
        let (request, tally, idle) = (request.clone(), tally.clone(), idle.clone());
        sent.push(tokio::task::spawn_local(async move {
            let mut kept = idle.borrow_mut().pop();
            match one_answer(&mut kept, &request).await {
                Ok(()) => {
                    let mut tally = tally.borrow_mut();
                    tally.answers += 1;
                    tally.latencies_us.push(due.elapsed().as_micros() as u64);
                    idle.borrow_mut().extend(kept);
                }
                Err(error) => tally.borrow_mut().error(&error),
            }
        }));
    }
    for request in sent {
        request.await?;
    }
    tally.borrow_mut().print(started.elapsed());
    Ok(())
}

/// The times at which requests are due, each told when it has come. A thread of its own sleeps to a fraction of the
/// runtime's 1 ms, and takes no time from the provider beside it, as waiting in a loop would.
fn timetable(time: Duration, rate: f64) -> tokio::sync::mpsc::UnboundedReceiver<Instant> {
    let (tell, ticks) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let started = Instant::now();
        for turn in 0..(time.as_secs_f64() * rate) as u64 {
            let due = started + Duration::from_secs_f64(turn as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if tell.send(due).is_err() {
                return;
            }
        }
    });
    ticks
}

async fn one_answer(kept: &mut Option<Connection>, request: &Request) -> Outcome<()> {
    let connection = match kept {
        Some(connection) => connection,
        None => kept.insert(Connection::open(&request.host).await?),
    };
    connection.send(request).await?;
    let mut text = Vec::with_capacity(1024);
    while connection.read(&mut text).await? {}
    match crate::http::find(&text, MARKER.as_bytes()) {
        Some(_) => Ok(()),
        None => Err("an answer that is not the upstream's".into()),
    }
}

/// Opens all streams, waits for each one's first event, says so, and keeps them open until standard input ends.
pub(crate) async fn hold(request: Request, conns: usize) -> Outcome<()> {
    let mut open = Vec::with_capacity(conns);
    for _ in 0..conns {
        let mut connection = Connection::open(&request.host).await?;
        connection.send(&request).await?;
        let mut text = Vec::new();
        if !connection.read(&mut text).await? || !text.starts_with(b"data:") {
            return Err("a stream that did not begin with an event".into());
        }
        open.push(connection);
    }
    println!("{{\"open\":{}}}", open.len());
    // Whatever comes meanwhile stays in the sockets: a slow reader, as far as the gateway can tell.
    let mut ignored = Vec::new();
    tokio::io::stdin().read_to_end(&mut ignored).await?;
    Ok(())
}
