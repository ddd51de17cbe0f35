use super::*;
use futures_util::FutureExt;
use topdog_domain::ports::Spool;

/// A spool on a disk that fails where it is told to.
struct Failing {
    dir: TempDir,
    spool: Arc<FileSpool>,
    disk: FailingDisk,
    handle: Box<dyn SpoolHandle>,
}

impl Failing {
    fn open(options: SpoolOptions) -> Self {
        let (dir, disk) = (folder(), FailingDisk::default());
        let spool = FileSpool::open_on(dir.path(), options, Arc::new(disk.clone())).unwrap();
        Self { handle: spool.handle(), dir, spool, disk }
    }

    /// With the first records on the disk, one by one.
    async fn open_with(records: usize, options: SpoolOptions) -> Self {
        let failing = Self::open(options);
        for number in 0..records {
            failing.append([number]);
            failing.handle.durable().await.unwrap();
        }
        failing
    }

    /// With records 0 and 1 in a segment that has grown, and another in reserve.
    async fn open_before_a_change_of_segments() -> Self {
        let segment_bytes = 2 * frame_bytes().await;
        // The second is committed by a sync that begins when the first has ended, which made the reserve; and it
        // makes none itself.
        Self::open_with(2, SpoolOptions { segment_bytes, ..quick() }).await
    }

    fn append(&self, numbers: impl IntoIterator<Item = usize>) {
        append(&*self.handle, numbers);
    }

    /// Appends these and waits for each to be written, though no sync may end.
    async fn write_one_by_one(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let before = self.written_bytes();
            self.append([number]);
            until(|| self.written_bytes() > before).await;
        }
    }

    fn written_bytes(&self) -> u64 {
        self.segments().iter().map(|path| path.metadata().unwrap().len()).sum()
    }

    fn segments(&self) -> Vec<PathBuf> {
        segments(self.dir.path())
    }

    fn ship_all(&self) -> Vec<usize> {
        ship_all(&self.spool.reader())
    }

    /// What is shipped after a kill of the process at this moment.
    fn ship_all_after_a_kill(&self) -> Vec<usize> {
        ship_all(&open(killed(self.dir.path()).path()).reader())
    }

    async fn recovers(&self) {
        until(|| self.spool.is_healthy()).await;
        self.handle.durable().await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_keeps_records_in_memory_until_there_is_room() {
    let it = Failing::open_with(1, quick()).await;
    it.disk.is_full.store(true, Ordering::SeqCst);
    it.append(1..4);
    assert!(it.handle.durable().await.is_err());
    assert!(!it.spool.is_healthy());
    // At once, and without the disk being asked again.
    assert!(matches!(it.handle.durable().now_or_never(), Some(Err(_))));
    it.append(4..6);
    assert_eq!(it.ship_all(), [0]);

    it.disk.is_full.store(false, Ordering::SeqCst);
    it.recovers().await;
    assert_eq!(it.ship_all(), [1, 2, 3, 4, 5]);
    assert_eq!(it.spool.lost_records(), 0);
    // Of the failed writes nothing is left: not their halves, nor empty segments.
    it.spool.close().await.unwrap();
    assert!(files(it.dir.path(), "seg").iter().all(|path| path.metadata().unwrap().len() > 0));
}

#[tokio::test]
async fn halves_of_failed_writes_are_cut_off() {
    let it = Failing::open_with(1, quick()).await;
    let durable = it.written_bytes();
    it.disk.is_full.store(true, Ordering::SeqCst);
    it.append([1]);
    assert!(it.handle.durable().await.is_err());
    assert_eq!(it.segments()[0].metadata().unwrap().len(), durable);
}

#[tokio::test]
async fn a_failed_sync_is_never_taken_for_done_by_a_second_one() {
    let it = Failing::open_with(1, quick()).await;
    it.disk.sync_fails.store(true, Ordering::SeqCst);
    it.append([1]);
    assert!(it.handle.durable().await.is_err());
    it.disk.sync_fails.store(false, Ordering::SeqCst);
    it.recovers().await;
    // Written anew, elsewhere.
    assert_eq!(it.segments().len(), 2);
    assert_eq!(it.ship_all(), [0, 1]);
}

#[tokio::test]
async fn the_limit_of_the_disk_holds_and_shipping_makes_room() {
    let frame = frame_bytes().await;
    let it = Failing::open(at_most_ten(frame));
    let mut appended = 0;
    while it.spool.is_healthy() {
        it.append([appended]);
        appended += 1;
        let _ = it.handle.durable().await;
    }
    assert_eq!(appended, 11);
    assert_eq!(it.written_bytes(), 10 * frame);

    let mut shipped = it.ship_all();
    it.recovers().await;
    shipped.extend(it.ship_all());
    assert_eq!(shipped, (0..11).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_buffer_loses_loudly() {
    let it = Failing::open(SpoolOptions { max_buffer_bytes: 4_000, ..quick() });
    it.disk.is_full.store(true, Ordering::SeqCst);
    it.append(0..100);
    let lost = it.spool.lost_records();
    assert!((1..100).contains(&lost), "{lost}");

    it.disk.is_full.store(false, Ordering::SeqCst);
    let reader = it.spool.reader();
    until(|| it.spool.is_healthy() && reader.lag_bytes() > 0).await;
    it.spool.close().await.unwrap();
    // What was not lost is kept, in order, and nobody is told that all is well.
    let shipped = it.ship_all();
    assert_eq!(shipped.len() as u64 + lost, 100);
    assert!(shipped.is_sorted());
    assert!(it.handle.durable().await.is_err());
}

#[tokio::test]
async fn closing_on_a_full_disk_says_what_is_lost() {
    let it = Failing::open(quick());
    it.disk.is_full.store(true, Ordering::SeqCst);
    it.append(0..3);
    assert!(it.handle.durable().await.is_err());
    it.append(3..5);
    let error = it.spool.close().await.unwrap_err();
    let five = 5 * frame_bytes().await;
    assert!(matches!(error, SpoolError::ClosedWithout { bytes } if bytes as u64 == five), "{error}");
}

#[tokio::test]
async fn a_sync_that_takes_long_keeps_nothing_in_memory() {
    let frame = frame_bytes().await;
    let it = Failing::open_with(1, quick()).await;
    it.disk.sync_hangs.store(true, Ordering::SeqCst);
    it.append(1..3);
    until(|| it.written_bytes() == 3 * frame).await;
    it.append(3..6);
    until(|| it.written_bytes() == 6 * frame).await;
    // Not durable, so neither shipped nor promised.
    assert_eq!(it.ship_all(), [0]);
    let patience = Duration::from_millis(20);
    assert!(tokio::time::timeout(patience, it.handle.durable()).await.is_err());
    assert_eq!(it.ship_all_after_a_kill(), [0, 1, 2, 3, 4, 5]);

    it.disk.sync_hangs.store(false, Ordering::SeqCst);
    it.handle.durable().await.unwrap();
    assert_eq!(it.ship_all(), [1, 2, 3, 4, 5]);
    it.spool.close().await.unwrap();
}

#[tokio::test]
async fn a_write_that_fails_takes_along_what_a_sync_has_not_covered() {
    let it = Failing::open_with(1, quick()).await;
    it.disk.sync_hangs.store(true, Ordering::SeqCst);
    it.write_one_by_one(1..3).await;
    it.disk.is_full.store(true, Ordering::SeqCst);
    it.append([3]);
    it.disk.sync_hangs.store(false, Ordering::SeqCst);
    until(|| !it.spool.is_healthy()).await;
    it.disk.is_full.store(false, Ordering::SeqCst);
    it.recovers().await;
    assert_eq!(it.ship_all(), [0, 1, 2, 3]);
    it.spool.close().await.unwrap();
}

#[tokio::test]
async fn no_write_waits_where_one_segment_follows_another() {
    let it = Failing::open_before_a_change_of_segments().await;
    // Both the sync of what is there and the making of what comes next.
    it.disk.sync_hangs.store(true, Ordering::SeqCst);
    it.disk.create_hangs.store(true, Ordering::SeqCst);
    it.write_one_by_one(2..10).await;
    assert_eq!(it.segments().len(), 2);
    assert_eq!(it.ship_all_after_a_kill(), (0..10).collect::<Vec<_>>());
    assert_eq!(it.ship_all(), [0, 1]);

    it.disk.create_hangs.store(false, Ordering::SeqCst);
    it.disk.sync_hangs.store(false, Ordering::SeqCst);
    it.handle.durable().await.unwrap();
    assert_eq!(it.ship_all(), (2..10).collect::<Vec<_>>());
    it.spool.close().await.unwrap();
}

#[tokio::test]
async fn a_failed_sync_of_two_segments_loses_and_doubles_nothing() {
    let it = Failing::open_before_a_change_of_segments().await;
    it.disk.sync_hangs.store(true, Ordering::SeqCst);
    it.write_one_by_one(2..10).await;
    assert_eq!(it.segments().len(), 2);
    it.disk.sync_fails.store(true, Ordering::SeqCst);
    it.disk.sync_hangs.store(false, Ordering::SeqCst);
    until(|| !it.spool.is_healthy()).await;
    it.disk.sync_fails.store(false, Ordering::SeqCst);
    it.recovers().await;
    assert_eq!(it.ship_all(), (0..10).collect::<Vec<_>>());
    it.spool.close().await.unwrap();
}

#[tokio::test]
async fn what_finds_no_room_is_not_promised_by_the_sync_of_what_was_before() {
    let frame = frame_bytes().await;
    let it = Failing::open_with(6, at_most_ten(frame)).await;
    it.disk.sync_hangs.store(true, Ordering::SeqCst);
    it.write_one_by_one(6..9).await;
    // One that the last place is too small for; the committer waits whether the sync that hangs makes room.
    it.handle.append_audit(&numbered(9).with("long", "x".repeat(100)));
    it.disk.sync_hangs.store(false, Ordering::SeqCst);
    assert!(it.handle.durable().await.is_err());
    assert_eq!(it.written_bytes(), 9 * frame);
    let mut shipped = it.ship_all();
    it.recovers().await;
    shipped.extend(it.ship_all());
    assert_eq!(shipped, (0..10).collect::<Vec<_>>());
}

/// Room for ten records of that size.
fn at_most_ten(frame: u64) -> SpoolOptions {
    SpoolOptions { max_disk_bytes: 10 * frame, max_buffer_bytes: 10 * frame as usize, ..quick() }
}
