mod damage;
mod failing_disk;
mod frames;
mod recorder;
mod shipping;

use super::disk::{Disk, FileDisk, SegmentFile};
use super::{FileSpool, RecorderPlace, SpoolError, SpoolOptions, SpoolReader};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use topdog_domain::OrgId;
use topdog_domain::audit::AuditDraft;
use topdog_domain::fakes::samples;
use topdog_domain::ports::{Batch, SpoolHandle};

/// Options by which tests need not wait.
fn quick() -> SpoolOptions {
    let (commit_window, recorder) = (Duration::from_millis(1), RecorderPlace::Off);
    SpoolOptions { commit_window, recorder, ..SpoolOptions::default() }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(dir: &Path) -> Arc<FileSpool> {
    FileSpool::open(dir, quick()).unwrap()
}

/// A dropped spool lets go of its folder when its committer has ended.
async fn open_when_free(dir: &Path, options: &SpoolOptions, disk: impl Disk + 'static) -> Arc<FileSpool> {
    let (opened, disk) = (std::cell::RefCell::new(None), Arc::new(disk));
    until(|| {
        *opened.borrow_mut() = FileSpool::open_on(dir, options.clone(), disk.clone()).ok();
        opened.borrow().is_some()
    })
    .await;
    opened.into_inner().unwrap()
}

/// A record that carries a number.
fn numbered(number: usize) -> AuditDraft {
    samples::audit(OrgId::new(), "test.count").with("number", number)
}

fn append(handle: &dyn SpoolHandle, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        handle.append_audit(&numbered(number));
    }
}

fn numbers(batch: &Batch) -> Vec<usize> {
    batch.audits.iter().map(|draft| draft.detail["number"].parse().unwrap()).collect()
}

/// Ships everything that is durable.
fn ship_all(reader: &SpoolReader) -> Vec<usize> {
    let mut shipped = Vec::new();
    while let Some((batch, position)) = reader.next_batch(100).unwrap() {
        shipped.extend(numbers(&batch));
        reader.advance(position).unwrap();
    }
    shipped
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    found.sort();
    found
}

/// Those that are written to: there is always an empty one in reserve.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found = files(dir, "seg");
    found.retain(|path| path.metadata().is_ok_and(|file| file.len() > 0));
    found
}

/// A spool's only segment with these records in it.
async fn segment_with(records: usize) -> Vec<u8> {
    let dir = folder();
    let spool = open(dir.path());
    let handle = spool.handle_of();
    append(&*handle, 0..records);
    spool.close().await.unwrap();
    let paths = segments(dir.path());
    assert_eq!(paths.len(), 1);
    std::fs::read(&paths[0]).unwrap()
}

/// Bytes that a record takes: they differ in their ids only.
async fn frame_bytes() -> u64 {
    segment_with(1).await.len() as u64
}

/// A folder whose only segment has that content.
fn folder_with(segment: &[u8]) -> TempDir {
    let dir = folder();
    std::fs::write(dir.path().join("0000000000000001.seg"), segment).unwrap();
    dir
}

/// A folder as a kill of the process would leave it now.
fn killed(dir: &Path) -> TempDir {
    let copy = folder();
    for path in segments(dir) {
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

/// A disk that fails where it is told to.
#[derive(Clone, Default)]
struct FailingDisk {
    is_full: Arc<AtomicBool>,
    /// Syncs that begin while this is set fail.
    sync_fails: Arc<AtomicBool>,
    /// Syncs do not end while this is set.
    sync_hangs: Arc<AtomicBool>,
    /// No file is made while this is set.
    create_hangs: Arc<AtomicBool>,
}

struct FailingFile {
    disk: FailingDisk,
    file: Arc<dyn SegmentFile>,
}

impl Disk for FailingDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        wait_while(&self.create_hangs);
        let file = FileDisk.create(path)?;
        Ok(Arc::new(FailingFile { disk: self.clone(), file }))
    }
}

impl SegmentFile for FailingFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        if self.disk.is_full.load(Ordering::SeqCst) {
            // As on a disk that fills up: a part of it fits.
            self.file.append(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk lost something"));
        }
        wait_while(&self.disk.sync_hangs);
        self.file.sync()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }
}

fn wait_while(flag: &AtomicBool) {
    while flag.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl FileSpool {
    fn handle_of(&self) -> Box<dyn SpoolHandle> {
        topdog_domain::ports::Spool::handle(self)
    }
}

/// Waits, in a test that can't be told when, until it is so.
async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come to be within ten seconds");
}
