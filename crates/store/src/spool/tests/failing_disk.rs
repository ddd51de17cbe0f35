use super::*;
use topdog_domain::ports::Spool;

fn open_failing(dir: &Path, options: SpoolOptions) -> (Arc<FileSpool>, FailingDisk) {
    let disk = FailingDisk::default();
    (FileSpool::open_on(dir, options, Arc::new(disk.clone())).unwrap(), disk)
}

#[tokio::test]
async fn a_full_disk_keeps_records_in_memory_until_there_is_room() {
    let dir = folder();
    let (spool, disk) = open_failing(dir.path(), quick());
    let handle = spool.handle();
    append(&*handle, [0]);
    handle.durable().await.unwrap();

    disk.is_full.store(true, Ordering::SeqCst);
    append(&*handle, 1..4);
    assert!(handle.durable().await.is_err());
    assert!(!spool.is_healthy());
    // At once, and without the disk being asked again.
    let before = std::time::Instant::now();
    assert!(handle.durable().await.is_err());
    assert!(before.elapsed() < Duration::from_millis(40));
    append(&*handle, 4..6);
    assert_eq!(ship_all(&spool.reader()), [0]);

    disk.is_full.store(false, Ordering::SeqCst);
    until(|| spool.is_healthy()).await;
    handle.durable().await.unwrap();
    assert_eq!(ship_all(&spool.reader()), [1, 2, 3, 4, 5]);
    assert_eq!(spool.lost_records(), 0);
    // Of the failed writes nothing is left: not their halves, nor empty segments.
    spool.close().await.unwrap();
    assert!(segments(dir.path()).iter().all(|path| path.metadata().unwrap().len() > 0));
}

#[tokio::test]
async fn halves_of_failed_writes_are_cut_off() {
    let dir = folder();
    let (spool, disk) = open_failing(dir.path(), quick());
    let handle = spool.handle();
    append(&*handle, [0]);
    handle.durable().await.unwrap();
    let durable = segments(dir.path())[0].metadata().unwrap().len();
    disk.is_full.store(true, Ordering::SeqCst);
    append(&*handle, [1]);
    assert!(handle.durable().await.is_err());
    assert_eq!(segments(dir.path())[0].metadata().unwrap().len(), durable);
}

#[tokio::test]
async fn a_failed_sync_is_never_taken_for_done_by_a_second_one() {
    let dir = folder();
    let (spool, disk) = open_failing(dir.path(), quick());
    let handle = spool.handle();
    append(&*handle, [0]);
    handle.durable().await.unwrap();
    disk.sync_fails.store(true, Ordering::SeqCst);
    append(&*handle, [1]);
    assert!(handle.durable().await.is_err());
    until(|| spool.is_healthy()).await;
    handle.durable().await.unwrap();
    // Written anew, elsewhere.
    assert_eq!(segments(dir.path()).len(), 2);
    assert_eq!(ship_all(&spool.reader()), [0, 1]);
}

#[tokio::test]
async fn the_limit_of_the_disk_holds_and_shipping_makes_room() {
    let frame = segment_with(1).await.len();
    let dir = folder();
    let options = SpoolOptions { max_disk_bytes: 10 * frame as u64, max_buffer_bytes: 10 * frame, ..quick() };
    let spool = FileSpool::open(dir.path(), options).unwrap();
    let handle = spool.handle();
    let mut appended = 0;
    while spool.is_healthy() {
        append(&*handle, [appended]);
        appended += 1;
        let _ = handle.durable().await;
    }
    assert_eq!(appended, 11);
    let on_disk: u64 = segments(dir.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!(on_disk, 10 * frame as u64);

    let mut shipped = ship_all(&spool.reader());
    until(|| spool.is_healthy()).await;
    handle.durable().await.unwrap();
    shipped.extend(ship_all(&spool.reader()));
    assert_eq!(shipped, (0..11).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_buffer_loses_loudly() {
    let dir = folder();
    let options = SpoolOptions { max_buffer_bytes: 4_000, ..quick() };
    let (spool, disk) = open_failing(dir.path(), options);
    disk.is_full.store(true, Ordering::SeqCst);
    let handle = spool.handle();
    append(&*handle, 0..100);
    let lost = spool.lost_records();
    assert!((1..100).contains(&lost), "{lost}");

    disk.is_full.store(false, Ordering::SeqCst);
    let reader = spool.reader();
    until(|| spool.is_healthy() && reader.lag_bytes() > 0).await;
    spool.close().await.unwrap();
    // What was not lost is kept, in order, and nobody is told that all is well.
    let shipped = ship_all(&reader);
    assert_eq!(shipped.len() as u64 + lost, 100);
    assert!(shipped.is_sorted());
    assert!(handle.durable().await.is_err());
}

#[tokio::test]
async fn closing_on_a_full_disk_says_what_is_lost() {
    let dir = folder();
    let (spool, disk) = open_failing(dir.path(), quick());
    disk.is_full.store(true, Ordering::SeqCst);
    let handle = spool.handle();
    append(&*handle, 0..3);
    assert!(handle.durable().await.is_err());
    append(&*handle, 3..5);
    let error = spool.close().await.unwrap_err();
    let frame = segment_with(1).await.len();
    assert!(
        matches!(error, crate::spool::SpoolError::ClosedWithout { bytes } if bytes == 5 * frame),
        "{error}"
    );
}

#[tokio::test]
async fn a_sync_that_takes_long_keeps_nothing_in_memory() {
    let dir = folder();
    let (spool, disk) = open_failing(dir.path(), quick());
    let handle = spool.handle();
    append(&*handle, [0]);
    handle.durable().await.unwrap();
    disk.sync_hangs.store(true, Ordering::SeqCst);
    append(&*handle, 1..3);
    let written = || segments(dir.path())[0].metadata().unwrap().len();
    let first = written();
    until(|| written() > first).await;
    let second = written();
    append(&*handle, 3..6);
    until(|| written() > second).await;
    // Not durable, so neither shipped nor promised.
    assert_eq!(ship_all(&spool.reader()), [0]);
    let patience = Duration::from_millis(20);
    assert!(tokio::time::timeout(patience, handle.durable()).await.is_err());

    // What a killed process would leave has them all.
    let killed = folder_with(&std::fs::read(&segments(dir.path())[0]).unwrap());
    assert_eq!(ship_all(&open(killed.path()).reader()), [0, 1, 2, 3, 4, 5]);

    disk.sync_hangs.store(false, Ordering::SeqCst);
    handle.durable().await.unwrap();
    assert_eq!(ship_all(&spool.reader()), [1, 2, 3, 4, 5]);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn a_sync_that_fails_takes_what_came_meanwhile_along() {
    let dir = folder();
    let (spool, disk) = open_failing(dir.path(), quick());
    let handle = spool.handle();
    append(&*handle, [0]);
    handle.durable().await.unwrap();
    let durable = segments(dir.path())[0].metadata().unwrap().len();
    disk.sync_hangs.store(true, Ordering::SeqCst);
    append(&*handle, [1]);
    let written = || segments(dir.path())[0].metadata().unwrap().len();
    until(|| written() > durable).await;
    let first = written();
    append(&*handle, [2]);
    until(|| written() > first).await;
    disk.is_full.store(true, Ordering::SeqCst);
    append(&*handle, [3]);
    disk.sync_hangs.store(false, Ordering::SeqCst);
    until(|| !spool.is_healthy()).await;
    disk.is_full.store(false, Ordering::SeqCst);
    until(|| spool.is_healthy()).await;
    handle.durable().await.unwrap();
    assert_eq!(ship_all(&spool.reader()), [0, 1, 2, 3]);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn no_write_waits_where_one_segment_follows_another() {
    let dir = folder();
    let options = SpoolOptions { segment_bytes: 500, ..quick() };
    let (spool, disk) = open_failing(dir.path(), options);
    let handle = spool.handle();
    append(&*handle, 0..2);
    handle.durable().await.unwrap();
    // Both the sync of what is there and the making of what comes next.
    disk.sync_hangs.store(true, Ordering::SeqCst);
    disk.create_hangs.store(true, Ordering::SeqCst);
    for number in 2..10 {
        let before = written_bytes(dir.path());
        append(&*handle, [number]);
        until(|| written_bytes(dir.path()) > before).await;
    }
    assert!(segments(dir.path()).len() > 1);
    assert_eq!(ship_all(&open(killed(dir.path()).path()).reader()), (0..10).collect::<Vec<_>>());
    assert_eq!(ship_all(&spool.reader()), [0, 1]);

    disk.create_hangs.store(false, Ordering::SeqCst);
    disk.sync_hangs.store(false, Ordering::SeqCst);
    handle.durable().await.unwrap();
    assert_eq!(ship_all(&spool.reader()), (2..10).collect::<Vec<_>>());
    spool.close().await.unwrap();
}

#[tokio::test]
async fn a_failed_sync_of_two_segments_loses_and_doubles_nothing() {
    let dir = folder();
    let options = SpoolOptions { segment_bytes: 500, ..quick() };
    let (spool, disk) = open_failing(dir.path(), options);
    let handle = spool.handle();
    append(&*handle, 0..2);
    handle.durable().await.unwrap();
    disk.sync_hangs.store(true, Ordering::SeqCst);
    for number in 2..10 {
        let before = written_bytes(dir.path());
        append(&*handle, [number]);
        until(|| written_bytes(dir.path()) > before).await;
    }
    disk.sync_fails.store(true, Ordering::SeqCst);
    disk.sync_hangs.store(false, Ordering::SeqCst);
    until(|| !disk.sync_fails.load(Ordering::SeqCst)).await;
    while handle.durable().await.is_err() {
        until(|| spool.is_healthy()).await;
    }
    assert_eq!(ship_all(&spool.reader()), (0..10).collect::<Vec<_>>());
    spool.close().await.unwrap();
}

#[tokio::test]
async fn what_finds_no_room_is_not_promised_by_the_sync_of_what_was_before() {
    let frame = segment_with(1).await.len();
    let dir = folder();
    let options = SpoolOptions { max_disk_bytes: 10 * frame as u64, max_buffer_bytes: 10 * frame, ..quick() };
    let (spool, disk) = open_failing(dir.path(), options);
    let handle = spool.handle();
    for number in 0..6 {
        append(&*handle, [number]);
        handle.durable().await.unwrap();
    }
    disk.sync_hangs.store(true, Ordering::SeqCst);
    for number in 6..9 {
        let before = written_bytes(dir.path());
        append(&*handle, [number]);
        until(|| written_bytes(dir.path()) > before).await;
    }
    // The committer finds no room for these, and waits whether the sync that hangs makes some.
    append(&*handle, 9..11);
    tokio::time::sleep(Duration::from_millis(20)).await;
    disk.sync_hangs.store(false, Ordering::SeqCst);
    assert!(handle.durable().await.is_err());
    assert_eq!(written_bytes(dir.path()), 9 * frame as u64);
    let mut shipped = ship_all(&spool.reader());
    until(|| spool.is_healthy()).await;
    handle.durable().await.unwrap();
    shipped.extend(ship_all(&spool.reader()));
    assert_eq!(shipped, (0..11).collect::<Vec<_>>());
}
