use super::*;
use crate::spool::buffer::{Buffer, Kept};
use crate::spool::recorder::Tape;
use crate::{Store, StoreOptions};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use topdog_domain::ports::{RecordReader, RecordSink, Spool};

/// A folder on a memory file system; none, and loudly, where there is no such file system.
fn memory() -> Option<TempDir> {
    if RecorderPlace::Auto.find().is_err() {
        eprintln!("RECORDER SKIPPED: /dev/shm is no memory file system here");
        assert!(!is_in_ci(), "in CI nothing is skipped");
        return None;
    }
    Some(tempfile::tempdir_in("/dev/shm").unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a test learns from its environment whether it may be skipped")]
fn is_in_ci() -> bool {
    std::env::var_os("CI").is_some()
}

fn recording(memory: &TempDir) -> SpoolOptions {
    SpoolOptions { recorder: RecorderPlace::In(memory.path().to_owned()), ..quick() }
}

/// Leaves records on the tapes: the disk was full to the end.
async fn leave(dir: &Path, memory: &TempDir, numbers: std::ops::Range<usize>) {
    let disk = FailingDisk::default();
    disk.is_full.store(true, Ordering::SeqCst);
    let spool = open_when_free(dir, &recording(memory), disk).await;
    let handle = spool.handle();
    append(&*handle, numbers);
    assert!(spool.close().await.is_err());
}

/// Opens the spool and ships what is in it.
async fn ship_all_of(dir: &Path, memory: &TempDir) -> Vec<usize> {
    let spool = open_when_free(dir, &recording(memory), FileDisk).await;
    let shipped = ship_all(&spool.reader());
    spool.close().await.unwrap();
    shipped
}

/// The folder and its recorder as a kill would leave them now.
fn killed_with_recorder(spool: &FileSpool, dir: &Path) -> (TempDir, TempDir) {
    let (folder, memory) = (killed(dir), tempfile::tempdir_in("/dev/shm").unwrap());
    fs::copy(dir.join("id"), folder.path().join("id")).unwrap();
    let recorder = spool.recorder_dir().unwrap();
    let copy = memory.path().join(recorder.file_name().unwrap());
    fs::DirBuilder::new().mode(0o700).create(&copy).unwrap();
    for tape in files(recorder, "tape") {
        fs::copy(&tape, copy.join(tape.file_name().unwrap())).unwrap();
    }
    (folder, memory)
}

fn taped_bytes(spool: &FileSpool) -> u64 {
    let tapes = files(spool.recorder_dir().unwrap(), "tape");
    tapes.iter().map(|tape| tape.metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn what_could_not_be_written_is_there_at_the_next_start() {
    let Some(memory) = memory() else { return };
    let dir = folder();
    leave(dir.path(), &memory, 0..5).await;
    assert_eq!(ship_all_of(dir.path(), &memory).await, [0, 1, 2, 3, 4]);
    // Once, and nothing is left in memory.
    assert!(ship_all_of(dir.path(), &memory).await.is_empty());
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_next_start_too_takes_nothing_away() {
    let Some(memory) = memory() else { return };
    let dir = folder();
    leave(dir.path(), &memory, 0..3).await;
    leave(dir.path(), &memory, 3..5).await;
    assert_eq!(ship_all_of(dir.path(), &memory).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_kill_finds_everything_recorded_that_is_not_on_the_disk() {
    let Some(memory) = memory() else { return };
    let (dir, disk) = (folder(), FailingDisk::default());
    let spool = FileSpool::open_on(dir.path(), recording(&memory), Arc::new(disk.clone())).unwrap();
    let handle = spool.handle();
    append(&*handle, [0]);
    handle.durable().await.unwrap();
    disk.sync_hangs.store(true, Ordering::SeqCst);
    for number in 1..6 {
        let before = written(dir.path());
        append(&*handle, [number]);
        until(|| written(dir.path()) > before).await;
    }
    disk.is_full.store(true, Ordering::SeqCst);
    append(&*handle, [6]);
    disk.sync_hangs.store(false, Ordering::SeqCst);
    disk.sync_fails.store(true, Ordering::SeqCst);
    // The failed write and sync have cut the segment off.
    until(|| !spool.is_healthy()).await;
    append(&*handle, [7]);
    let (killed, killed_memory) = killed_with_recorder(&spool, dir.path());
    let mut shipped = ship_all_of(killed.path(), &killed_memory).await;
    shipped.sort_unstable();
    shipped.dedup();
    assert_eq!(shipped, (0..8).collect::<Vec<_>>());

    disk.is_full.store(false, Ordering::SeqCst);
    disk.sync_fails.store(false, Ordering::SeqCst);
    until(|| spool.is_healthy()).await;
    handle.durable().await.unwrap();
    assert_eq!(ship_all(&spool.reader()), (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_written_and_recorded_too_counts_once() {
    let Some(memory) = memory() else { return };
    let (dir, disk, org) = (folder(), FailingDisk::default(), OrgId::new());
    let spool = FileSpool::open_on(dir.path(), recording(&memory), Arc::new(disk.clone())).unwrap();
    let handle = spool.handle();
    disk.sync_hangs.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        let before = written(dir.path());
        handle.append_audit(&samples::audit(org, "test.twice"));
        until(|| written(dir.path()) > before).await;
    }
    let (killed, killed_memory) = killed_with_recorder(&spool, dir.path());
    disk.sync_hangs.store(false, Ordering::SeqCst);

    let spool = FileSpool::open(killed.path(), recording(&killed_memory)).unwrap();
    let database = folder();
    let file = database.path().join("topdog.db").display().to_string();
    let store = Store::open(&file, &StoreOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    let (reader, mut spooled) = (spool.reader(), 0);
    while let Some((batch, position)) = reader.next_batch(100).unwrap() {
        spooled += batch.audits.len();
        store.ship(&batch).await.unwrap();
        reader.advance(position).unwrap();
    }
    assert_eq!(spooled, 10);
    assert_eq!(store.audit_head(org).await.unwrap().0, 5);
}

fn written(dir: &Path) -> u64 {
    segments(dir).iter().map(|path| path.metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn tapes_are_blank_when_all_is_on_the_disk() {
    let Some(memory) = memory() else { return };
    let dir = folder();
    let spool = FileSpool::open(dir.path(), recording(&memory)).unwrap();
    let handle = spool.handle();
    for number in 0..20 {
        append(&*handle, [number]);
        if number % 3 == 0 {
            handle.durable().await.unwrap();
        }
    }
    assert_eq!(spool.unrecorded_records(), 0);
    until(|| taped_bytes(&spool) == 0).await;
    drop(handle);
    spool.close().await.unwrap();
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_tape_torn_at_any_byte_costs_the_last_record() {
    let Some(memory) = memory() else { return };
    let frame = frame_bytes().await;
    let dir = folder();
    let spool = FileSpool::open(dir.path(), recording(&memory)).unwrap();
    let tape = spool.recorder_dir().unwrap().join("0000000000000007.tape");
    let whole = segment_with(3).await;
    for cut in [1, 7, 8, 9, frame - 1] {
        let (killed, killed_memory) = killed_with_recorder(&spool, dir.path());
        let place = killed_memory.path().join(tape.strip_prefix(memory.path()).unwrap());
        fs::write(place, &whole[..(2 * frame + cut) as usize]).unwrap();
        assert_eq!(ship_all_of(killed.path(), &killed_memory).await, [0, 1], "cut {cut}");
    }
}

#[tokio::test]
async fn a_copy_takes_nothing_of_the_original() {
    let Some(memory) = memory() else { return };
    let (dir, copy) = (folder(), folder());
    leave(dir.path(), &memory, 0..3).await;
    fs::copy(dir.path().join("id"), copy.path().join("id")).unwrap();
    assert!(ship_all_of(copy.path(), &memory).await.is_empty());
    assert_eq!(ship_all_of(dir.path(), &memory).await, [0, 1, 2]);
}

#[tokio::test]
async fn a_folder_that_was_moved_has_its_records() {
    let Some(memory) = memory() else { return };
    let parent = folder();
    let (before, after) = (parent.path().join("before"), parent.path().join("after"));
    leave(&before, &memory, 0..3).await;
    fs::rename(&before, &after).unwrap();
    assert_eq!(ship_all_of(&after, &memory).await, [0, 1, 2]);
}

#[tokio::test]
async fn a_new_folder_in_the_same_place_takes_nothing_of_the_old_one() {
    let Some(memory) = memory() else { return };
    let parent = folder();
    let dir = parent.path().join("spool");
    leave(&dir, &memory, 0..3).await;
    fs::remove_dir_all(&dir).unwrap();
    assert!(ship_all_of(&dir, &memory).await.is_empty());
}

#[tokio::test]
async fn two_spools_share_a_place() {
    let Some(memory) = memory() else { return };
    let (one, other) = (folder(), folder());
    leave(one.path(), &memory, 0..2).await;
    leave(other.path(), &memory, 5..7).await;
    assert_eq!(ship_all_of(one.path(), &memory).await, [0, 1]);
    assert_eq!(ship_all_of(other.path(), &memory).await, [5, 6]);
}

/// Lays something where the folder's recorder is to be.
fn lay_for(dir: &Path, memory: &TempDir, lay: impl FnOnce(&Path)) -> std::path::PathBuf {
    let id = uuid::Uuid::now_v7().to_string();
    fs::write(dir.join("id"), &id).unwrap();
    let path = memory.path().join(format!("topdog-{}-{id}", rustix::process::geteuid().as_raw()));
    lay(&path);
    path
}

#[tokio::test]
async fn an_own_folder_that_others_may_read_is_refused() {
    let Some(memory) = memory() else { return };
    let dir = folder();
    lay_for(dir.path(), &memory, |path| fs::DirBuilder::new().mode(0o755).create(path).unwrap());
    let spool = FileSpool::open(dir.path(), recording(&memory)).unwrap();
    assert_eq!(spool.recorder_dir(), None);
    let handle = spool.handle();
    append(&*handle, 0..2);
    handle.durable().await.unwrap();
    assert_eq!(ship_all(&spool.reader()), [0, 1]);
    assert_eq!(spool.unrecorded_records(), 2);
}

#[tokio::test]
async fn a_name_that_somebody_has_taken_is_left_for_another() {
    let Some(memory) = memory() else { return };
    type Lay = fn(&Path, &Path);
    let mut lays: Vec<Lay> =
        vec![|path, elsewhere| symlink(elsewhere, path).unwrap(), |path, _| fs::write(path, "").unwrap()];
    if rustix::process::geteuid().is_root() {
        // Only root can make what is somebody else's.
        lays.push(|path, _| {
            fs::DirBuilder::new().mode(0o700).create(path).unwrap();
            std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).unwrap();
        });
    }
    for lay in lays {
        let (dir, elsewhere) = (folder(), folder());
        let taken = lay_for(dir.path(), &memory, |path| lay(path, elsewhere.path()));
        leave(dir.path(), &memory, 0..2).await;
        let spool = open_when_free(dir.path(), &recording(&memory), FileDisk).await;
        let own = spool.recorder_dir().unwrap();
        assert_ne!(own, taken);
        assert_eq!(own.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(ship_all(&spool.reader()), [0, 1]);
        assert_eq!(spool.unrecorded_records(), 0);
        spool.close().await.unwrap();
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        assert!(taken.symlink_metadata().is_ok(), "what is not the server's stays");
    }
}

#[tokio::test]
async fn only_the_owner_can_read_what_is_recorded() {
    let Some(memory) = memory() else { return };
    let dir = folder();
    let spool = FileSpool::open(dir.path(), recording(&memory)).unwrap();
    let handle = spool.handle();
    append(&*handle, [0]);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let recorder = spool.recorder_dir().unwrap();
    assert_eq!(mode(recorder), 0o700);
    let found: Vec<_> = fs::read_dir(recorder).unwrap().map(|file| file.unwrap().path()).collect();
    // Two tapes and the path of the spool.
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|path| mode(path) == 0o600));
}

#[test]
fn a_disk_is_no_place_for_a_recorder() {
    for dir in ["/proc", "/there/is/none"] {
        let place = RecorderPlace::In(dir.into());
        assert!(matches!(place.find(), Err(SpoolError::Io { .. })), "{dir}");
    }
    assert!(matches!(RecorderPlace::Off.find(), Ok(None)));
}

#[test]
fn a_record_that_finds_no_room_on_the_tape_is_kept_in_memory() {
    let full = || Tape::new(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let buffer = Buffer::new(Some([full(), full()]));
    for number in 0..3 {
        let kept = buffer.append(&numbered(number), usize::MAX);
        assert!(matches!(kept, Ok(Kept::InMemory)));
    }
    let mut batch = Vec::new();
    assert_eq!(buffer.take_into(&mut batch, &mut Vec::new()), 3);
    assert!(!batch.is_empty());
}
