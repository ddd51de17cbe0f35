//! What shipping costs: microseconds of CPU a record, from the spool's files into a SQLite file, by the thread that
//! spends them. Run it as `cargo run --release -p topdog-store --example ship_speed [records] [batch]`.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;
use std::{env, fs, io};
use topdog_domain::OrgId;
use topdog_domain::fakes::samples::{self, NEW_YEAR};
use topdog_domain::ports::{RecordSink, Spool, SpoolSource};
use topdog_store::spool::{FileSpool, SpoolOptions};
use topdog_store::{Store, StoreOptions};

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (records, batch_records) = (argument(1, 100_000)?, argument(2, 1_024)?);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("topdog.db").display().to_string();
    let store = Store::open(&file, &StoreOptions::default()).await?;
    store.migrate().await?;
    let spool = fill(&folder.path().join("spool"), records).await?;

    let (before, began) = (cpu_by_thread()?, Instant::now());
    let reader = spool.reader();
    let (mut shipped, mut longest) = (0, 0);
    while let Some((batch, position)) = SpoolSource::next_batch(&reader, batch_records).await? {
        shipped += batch.requests.len();
        let transaction = Instant::now();
        store.ship(&batch).await?;
        longest = longest.max(transaction.elapsed().as_micros());
        SpoolSource::advance(&reader, position).await?;
    }
    let (wall, after) = (began.elapsed(), cpu_by_thread()?);

    let us = |ns: u64| ns as f64 / 1_000.0 / records as f64;
    let spent = after.iter().map(|(name, ns)| (name, ns - before.get(name).unwrap_or(&0)));
    let total: u64 = spent.clone().map(|(_, ns)| ns).sum();
    say(format!("{shipped} records in {wall:.2?}, {:.2} µs of CPU each:", us(total)));
    spent.filter(|(_, ns)| *ns > 0).for_each(|(name, ns)| say(format!("  {name:<16} {:.2}", us(ns))));
    let file_bytes = fs::metadata(&file)?.len();
    say(format!("{} bytes of file a record, longest transaction {longest} µs", file_bytes / records as u64));
    Ok(())
}

fn argument(place: usize, default: usize) -> Result<usize, std::num::ParseIntError> {
    env::args().nth(place).map_or(Ok(default), |text| text.parse())
}

/// A spool with that many requests of three organisations, one of which makes most of them.
async fn fill(folder: &std::path::Path, records: usize) -> Result<std::sync::Arc<FileSpool>, Box<dyn Error>> {
    let spool = FileSpool::open(folder, SpoolOptions::default())?;
    let handle = spool.handle();
    let [large, small, other] = [0, 1, 2].map(|_| OrgId::new());
    for number in 0..records {
        let org = match number % 10 {
            0 => small,
            1 => other,
            _ => large,
        };
        let mut record = samples::request_record(org, NEW_YEAR.plus_seconds(number as i64 / 10_000));
        // As in nearly every request.
        record.tokens.cache_write_1h = 0;
        handle.append_request(&record);
        if number % 10_000 == 0 {
            handle.durable().await?;
        }
    }
    handle.durable().await?;
    Ok(spool)
}

/// Nanoseconds on a processor since the start, by the name of the thread.
fn cpu_by_thread() -> io::Result<BTreeMap<String, u64>> {
    let mut spent = BTreeMap::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        let name = fs::read_to_string(thread.join("comm"))?.trim().to_owned();
        let times = fs::read_to_string(thread.join("schedstat"))?;
        let ns: u64 = times.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or_default();
        *spent.entry(name).or_default() += ns;
    }
    Ok(spent)
}

#[expect(clippy::print_stdout, reason = "what is measured is for whoever runs it")]
fn say(line: String) {
    println!("{line}");
}
