use super::finding::Finding;
use crate::config::Config;
use crate::serve::clock::SystemClock;
use rustix::process::{Resource, getrlimit};
use std::path::Path;
use std::time::UNIX_EPOCH;
use topdog_domain::Timestamp;
use topdog_domain::ports::Clock;

/// What the operating system gives: files, time.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    vec![
        open_files(getrlimit(Resource::Nofile).current, config.server.max_connections),
        clock(SystemClock.now(), newest(&config.data_dir)),
    ]
}

/// A request may need two: the client's connection and the provider's.
fn open_files(limit: Option<u64>, max_connections: usize) -> Finding {
    const CHECK: &str = "open files";
    let needed = (max_connections as u64).saturating_mul(2).saturating_add(SPARE_FILES);
    match limit {
        Some(limit) if limit < needed => Finding::warn(
            CHECK,
            format!("a process may open {limit}, and server.max_connections may need {needed}"),
            "raise `ulimit -n` (systemd: LimitNOFILE), or lower server.max_connections",
        ),
        Some(limit) => Finding::ok(CHECK, format!("a process may open {limit}")),
        None => Finding::ok(CHECK, "a process may open any number"),
    }
}

const SPARE_FILES: u64 = 100;

/// Days, leases and expiries are counted by this machine's clock.
fn clock(now: Timestamp, newest: Option<Timestamp>) -> Finding {
    const CHECK: &str = "clock";
    const MEND: &str = "set it, and keep it right by NTP: limits and expiries are counted by it";
    let is_before_its_data = newest.is_some_and(|newest| newest > now.plus_seconds(CLOCK_TOLERANCE_SECONDS));
    if now < EARLIEST {
        Finding::fail(CHECK, format!("it says {now}, which is before this program was written"), MEND)
    } else if is_before_its_data {
        Finding::fail(
            CHECK,
            format!("it says {now}, which is before the newest file of the data folder"),
            MEND,
        )
    } else {
        Finding::ok(CHECK, format!("it says {now}"))
    }
}

/// 2026-01-01T00:00:00Z
const EARLIEST: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const CLOCK_TOLERANCE_SECONDS: i64 = 60;

fn newest(dir: &Path) -> Option<Timestamp> {
    let modified = |entry: std::io::Result<std::fs::DirEntry>| {
        let since = entry.ok()?.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_micros()).ok().map(Timestamp::from_micros)
    };
    std::fs::read_dir(dir).ok()?.filter_map(modified).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn every_connection_needs_its_files() {
        assert_eq!(open_files(Some(1024), 10_000).level, Level::Warn);
        assert_eq!(open_files(Some(20_100), 10_000).level, Level::Ok);
        assert_eq!(open_files(None, 10_000).level, Level::Ok);
    }

    #[test]
    fn a_clock_that_went_back_is_seen() {
        let now = Timestamp::parse("2026-11-24T09:00:00Z").expect("an instant");
        assert_eq!(clock(now, None).level, Level::Ok);
        assert_eq!(clock(now, Some(now.plus_seconds(30))).level, Level::Ok);
        assert_eq!(clock(now, Some(now.plus_seconds(61))).level, Level::Fail);
        assert_eq!(clock(Timestamp::from_micros(0), None).level, Level::Fail);
    }
}
