use super::finding::Finding;
use crate::config::{Config, Environment, StoreUrl};
use std::path::Path;
use std::time::Duration;
use topdog_store::spool::RecorderPlace;
use topdog_store::{Store, StoreOptions};

/// The database and the spool.
pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![database(&config.store.url).await, spool(&config.spool.dir)];
    findings.extend(disk(&config.spool.dir, config.spool.max_disk_bytes));
    findings.push(recorder(&config.spool.recorder));
    findings
}

async fn database(store: &StoreUrl) -> Finding {
    const CHECK: &str = "database";
    let url = match store {
        StoreUrl::Plain(url) => url.clone(),
        StoreUrl::Secret(reference) => match reference.resolve(&Environment::of_process()) {
            Ok(url) => url,
            Err(error) => return Finding::fail(CHECK, error.to_string(), "set what store.url refers to"),
        },
    };
    // Opening would make the file.
    let is_missing_file = !url.contains("://") && !Path::new(&url).exists();
    if is_missing_file {
        return Finding::warn(CHECK, format!("{url} is not there"), "the first `topdog serve` makes it");
    }
    match tokio::time::timeout(PATIENCE, Box::pin(answers(&url))).await {
        Ok(Ok(())) => Finding::ok(CHECK, "it answers"),
        Ok(Err(why)) => Finding::fail(CHECK, why, "check store.url, and that the database runs"),
        Err(_) => Finding::fail(CHECK, "it does not answer", "check store.url, and that the database runs"),
    }
}

async fn answers(url: &str) -> Result<(), String> {
    let store = Store::open(url, &StoreOptions::default()).await.map_err(|error| error.to_string())?;
    let answer = store.ping().await.map_err(|error| error.to_string());
    store.close().await;
    answer
}

const PATIENCE: Duration = Duration::from_secs(10);

fn spool(dir: &Path) -> Finding {
    const CHECK: &str = "spool";
    if !dir.exists() {
        return Finding::warn(
            CHECK,
            format!("{} is not there", dir.display()),
            "the first `topdog serve` makes it",
        );
    }
    let probe = dir.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding::ok(CHECK, format!("{} can be written to", dir.display())),
        Err(error) => Finding::fail(
            CHECK,
            format!("{} can't be written to: {error}", dir.display()),
            "without it regulated requests are refused; check its owner and the disk",
        ),
    }
}

fn disk(spool: &Path, wanted: u64) -> Option<Finding> {
    let dir = spool.ancestors().find(|dir| dir.exists())?;
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(room(stat.f_bavail.saturating_mul(stat.f_frsize), wanted))
}

fn room(free: u64, wanted: u64) -> Finding {
    const CHECK: &str = "disk";
    let found = format!("{} MiB are free where the spool is", free >> 20);
    match free {
        0..LEAST_FREE => Finding::fail(CHECK, found, "make room: records can't be kept much longer"),
        _ if free < wanted => Finding::warn(
            CHECK,
            found,
            format!("spool.max_disk_bytes lets it take {} MiB; make room, or lower it", wanted >> 20),
        ),
        _ => Finding::ok(CHECK, found),
    }
}

fn recorder(place: &RecorderPlace) -> Finding {
    const CHECK: &str = "recorder";
    const WITHOUT: &str =
        "a kill of the process takes what waits for the disk: give spool.recorder_dir a folder on tmpfs";
    match place.find() {
        Ok(Some(dir)) => Finding::ok(CHECK, format!("{} outlives the process", dir.display())),
        Ok(None) => Finding::warn(CHECK, "spool.recorder_dir is off", WITHOUT),
        Err(error) => Finding::warn(CHECK, error.to_string(), WITHOUT),
    }
}

const LEAST_FREE: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn the_spool_must_be_able_to_grow() {
        assert_eq!(room(1 << 20, 4 << 30).level, Level::Fail);
        assert_eq!(room(1 << 30, 4 << 30).level, Level::Warn);
        assert_eq!(room(8 << 30, 4 << 30).level, Level::Ok);
    }

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(spool(folder.path()).level, Level::Ok);
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
        assert_eq!(spool(&folder.path().join("none")).level, Level::Warn);
    }

    #[test]
    fn a_recorder_on_a_disk_is_none() {
        let on_disk = RecorderPlace::In("/proc".into());
        assert_eq!(recorder(&on_disk).level, Level::Warn);
        assert_eq!(recorder(&RecorderPlace::Off).level, Level::Warn);
    }

    #[tokio::test]
    async fn looking_at_a_database_does_not_make_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("topdog.db");
        let url = StoreUrl::Plain(file.to_string_lossy().into_owned());
        assert_eq!(database(&url).await.level, Level::Warn);
        assert!(!file.exists());
    }
}
