//! What a request's thread pays for its record: nanoseconds an append, with a recorder and without. Run it as
//! `cargo run --release -p topdog-store --example append_cost [rounds]`.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};
use topdog_domain::OrgId;
use topdog_domain::fakes::samples::{self, NEW_YEAR};
use topdog_domain::ports::Spool;
use topdog_store::spool::{FileSpool, RecorderPlace, SpoolOptions};

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What 10,000 requests a second append in a commit window.
const AT_ONCE: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let rounds = env::args().nth(1).map_or(Ok(500), |text| text.parse())?;
    // Alternating, so that what else the machine does falls on both.
    for _ in 0..3 {
        for (name, recorder) in [("no recorder", RecorderPlace::Off), ("recorder", RecorderPlace::Auto)] {
            let folder = tempfile::tempdir()?;
            let options = SpoolOptions { recorder, ..SpoolOptions::default() };
            let spool = FileSpool::open(folder.path(), options)?;
            measure(name, &spool, rounds).await?;
            spool.close().await?;
        }
    }
    Ok(())
}

async fn measure(name: &str, spool: &FileSpool, rounds: usize) -> Result<(), Box<dyn Error>> {
    let handle = spool.handle();
    let record = samples::request_record(OrgId::new(), NEW_YEAR);
    let mut spent = Vec::with_capacity(rounds * AT_ONCE);
    for _ in 0..rounds {
        for _ in 0..AT_ONCE {
            let began = Instant::now();
            handle.append_request(black_box(&record));
            spent.push(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    spent.sort_unstable();
    let at = |share: f64| spent.get((spent.len() as f64 * share) as usize).map_or(0, Duration::as_nanos);
    let mean = spent.iter().map(Duration::as_nanos).sum::<u128>() / spent.len() as u128;
    let unrecorded = spool.unrecorded_records();
    say(format!(
        "{name:<12} mean {mean} ns, median {} ns, p99 {} ns, p99.9 {} ns; {unrecorded} not recorded",
        at(0.5),
        at(0.99),
        at(0.999)
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what is measured is for whoever runs it")]
fn say(line: String) {
    println!("{line}");
}
