//! The upstream and the load of `bench/run`: small enough that the gateways, not the measure, are the limit.
//!
//!     load upstream LISTEN                        a provider: fixed answers, and streams as the request says
//!     load stream   URL HEADERS BODY CONNS SECS STAGGER_US   streams back to back, the clients' first ones staggered;
//!                                                 first-event latency and events/s
//!     load pace     URL HEADERS BODY SECS RATE      plain requests on a fixed timetable (open loop)
//!     load hold     URL HEADERS BODY CONNS        opens streams, says so, holds them until standard input ends
//!
//! HEADERS and BODY are files: complete header lines, and the request's body. Each load prints one line of JSON.
//! In the body's text, `chunks=N`, `delay_us=N` (between events) and `first_us=N` (before the first) tell the
//! upstream what to do. Every event and every answer is checked: what is not whole counts as an error.

mod clients;
mod http;
mod upstream;

use std::error::Error;
use std::time::Duration;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(&args))
}

async fn run(args: &[&str]) -> Outcome<()> {
    match *args {
        ["upstream", listen] => upstream::serve(listen).await,
        ["stream", url, headers, body, conns, secs, stagger_us] => {
            let stagger = Duration::from_micros(stagger_us.parse()?);
            clients::stream(request(url, headers, body)?, conns.parse()?, seconds(secs)?, stagger).await
        }
        ["pace", url, headers, body, secs, rate] => {
            clients::pace(request(url, headers, body)?, seconds(secs)?, rate.parse()?).await
        }
        ["hold", url, headers, body, conns] => {
            clients::hold(request(url, headers, body)?, conns.parse()?).await
        }
        _ => Err("usage: load upstream|stream|pace|hold …; see the head of src/main.rs".into()),
    }
}

fn seconds(text: &str) -> Outcome<Duration> {
    Ok(Duration::from_secs_f64(text.parse()?))
}

fn request(url: &str, headers: &str, body: &str) -> Outcome<http::Request> {
    let rest = url.strip_prefix("http://").ok_or("the URL must begin with http://")?;
    let slash = rest.find('/').ok_or("the URL must have a path")?;
    let (host, path) = rest.split_at(slash);
    let (headers, body) = (std::fs::read_to_string(headers)?, std::fs::read(body)?);
    Ok(http::Request::new(host, path, &headers, &body))
}
