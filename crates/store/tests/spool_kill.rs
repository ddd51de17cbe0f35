//! What was acknowledged survives `kill -9`: the test starts itself as a process that appends, and kills it.

#![cfg(test)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::OrgId;
use topdog_domain::fakes::samples;
use topdog_domain::ports::{Spool, SpoolHandle};
use topdog_store::spool::{FileSpool, RecorderPlace, SpoolOptions};

const KILLS: usize = 20;
const FOLDER: &str = "TOPDOG_TEST_SPOOL_FOLDER";
const RECORDER: &str = "TOPDOG_TEST_SPOOL_RECORDER";
const FIRST: &str = "TOPDOG_TEST_SPOOL_FIRST";

#[test]
fn what_was_acknowledged_survives_kill_nine() {
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = kill_appenders(dir.path(), None);
    let kept = ship_all(dir.path(), RecorderPlace::Off);
    for number in acknowledged {
        assert_eq!(kept.get(&number), Some(&1), "record {number}");
    }
    assert!(kept.values().all(|count| *count == 1));
}

#[test]
fn with_a_recorder_it_is_acknowledged_when_it_is_appended() {
    let Some(memory) = memory() else { return };
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = kill_appenders(dir.path(), Some(memory.path()));
    let kept = ship_all(dir.path(), RecorderPlace::In(memory.path().to_owned()));
    for number in acknowledged {
        assert!(kept.contains_key(&number), "record {number}");
    }
}

/// Kills appenders, one after the other; the numbers that they have acknowledged.
fn kill_appenders(dir: &Path, memory: Option<&Path>) -> Vec<usize> {
    let mut acknowledged = Vec::new();
    for kill in 0..KILLS {
        let mut child = start_appender(dir, memory, kill * 1_000_000);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut numbers = lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<usize>().ok());
        // Killed after another number of acknowledgements each time, in the middle of the next ones.
        acknowledged.extend(numbers.by_ref().take(3 + kill * 7));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still said before it died counts as well.
        acknowledged.extend(numbers);
    }
    assert!(acknowledged.len() > KILLS * 60);
    acknowledged
}

/// How often each number is there.
fn ship_all(dir: &Path, recorder: RecorderPlace) -> HashMap<usize, u32> {
    let spool = FileSpool::open(dir, SpoolOptions { recorder, ..SpoolOptions::default() }).unwrap();
    let reader = spool.reader();
    let mut kept = HashMap::new();
    while let Some((batch, position)) = reader.next_batch(500).unwrap() {
        for draft in batch.audits {
            *kept.entry(draft.detail["number"].parse::<usize>().unwrap()).or_insert(0) += 1;
        }
        reader.advance(position).unwrap();
    }
    kept
}

/// A folder on a memory file system; none, and loudly, where there is no such file system.
fn memory() -> Option<tempfile::TempDir> {
    if RecorderPlace::Auto.find().is_err() {
        eprintln!("RECORDER SKIPPED: /dev/shm is no memory file system here");
        assert!(variable("CI").is_none(), "in CI nothing is skipped");
        return None;
    }
    Some(tempfile::tempdir_in("/dev/shm").unwrap())
}

/// Does nothing, but in the process that [`start_appender`] starts: there it appends until it is killed, and
/// acknowledges what is durable, or with a recorder what is appended.
#[tokio::test]
async fn appender() {
    let (Some(folder), Some(first)) = (variable(FOLDER), variable(FIRST)) else { return };
    let recorder = variable(RECORDER).map_or(RecorderPlace::Off, |dir| RecorderPlace::In(dir.into()));
    let has_recorder = recorder != RecorderPlace::Off;
    // Small segments, so that some kills fall on the change from one to the next.
    let options = SpoolOptions { segment_bytes: 10_000, recorder, ..SpoolOptions::default() };
    let spool = FileSpool::open(Path::new(&folder), options).unwrap();
    let handle: Arc<dyn SpoolHandle> = spool.handle().into();
    let org = OrgId::new();
    for number in first.parse::<usize>().unwrap().. {
        handle.append_audit(&samples::audit(org, "test.count").with("number", number));
        if has_recorder {
            acknowledge(number);
        } else {
            let handle = handle.clone();
            tokio::spawn(async move {
                handle.durable().await.unwrap();
                acknowledge(number);
            });
        }
        if number % 16 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn acknowledge(number: usize) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "acknowledged {number}").unwrap();
    out.flush().unwrap();
}

fn start_appender(dir: &Path, memory: Option<&Path>, first: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "appender", "--nocapture"])
        .env(FOLDER, dir)
        .env(FIRST, first.to_string())
        .envs(memory.map(|memory| (RECORDER, memory)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "by its environment a process is told to be the one that is killed"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
