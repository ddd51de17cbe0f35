use super::*;
use crate::spool::SpoolError;
use std::os::unix::fs::PermissionsExt;
use topdog_domain::ports::{PortError, Spool, SpoolSource};
use topdog_domain::usage::RequestRecord;

#[tokio::test]
async fn what_is_appended_is_read_as_it_was() {
    let dir = folder();
    let spool = open(dir.path());
    let handle = spool.handle();
    let record = samples::request_record(OrgId::new(), samples::NEW_YEAR);
    let draft = numbered(1);
    handle.append_request(&record);
    handle.append_audit(&draft);
    handle.durable().await.unwrap();

    let (batch, _) = spool.reader().next_batch(10).unwrap().unwrap();
    assert_eq!(batch.requests, [record]);
    assert_eq!(batch.audits, [draft]);
}

#[tokio::test]
async fn a_batch_comes_again_until_it_is_shipped() {
    let dir = folder();
    let spool = open(dir.path());
    let handle = spool.handle();
    append(&*handle, 0..5);
    handle.durable().await.unwrap();
    let reader = spool.reader();

    let (first, position) = reader.next_batch(2).unwrap().unwrap();
    let (again, _) = reader.next_batch(2).unwrap().unwrap();
    assert_eq!(numbers(&first), [0, 1]);
    assert_eq!(numbers(&again), [0, 1]);
    reader.advance(position).unwrap();
    let (second, position) = SpoolSource::next_batch(&reader, 10).await.unwrap().unwrap();
    assert_eq!(numbers(&second), [2, 3, 4]);
    assert!(spool.lag_bytes() > 0);
    SpoolSource::advance(&reader, position).await.unwrap();
    assert_eq!(spool.lag_bytes(), 0);
    assert!(reader.next_batch(10).unwrap().is_none());
}

#[tokio::test]
async fn an_old_position_takes_nothing_back() {
    let dir = folder();
    let spool = open(dir.path());
    let handle = spool.handle();
    append(&*handle, 0..4);
    handle.durable().await.unwrap();
    let reader = spool.reader();
    let (_, early) = reader.next_batch(1).unwrap().unwrap();
    assert_eq!(ship_all(&reader), [0, 1, 2, 3]);
    reader.advance(early).unwrap();
    assert!(reader.next_batch(1).unwrap().is_none());
}

#[tokio::test]
async fn a_restart_goes_on_where_shipping_was() {
    let dir = folder();
    {
        let spool = open(dir.path());
        let handle = spool.handle();
        append(&*handle, 0..6);
        handle.durable().await.unwrap();
        let (_, position) = spool.reader().next_batch(4).unwrap().unwrap();
        spool.reader().advance(position).unwrap();
        spool.close().await.unwrap();
    }
    let spool = open_when_free(dir.path(), &quick(), FileDisk).await;
    let handle = spool.handle();
    append(&*handle, 6..8);
    handle.durable().await.unwrap();
    assert_eq!(ship_all(&spool.reader()), [4, 5, 6, 7]);
}

#[tokio::test]
async fn a_cursor_that_is_gone_ships_again_rather_than_never() {
    let dir = folder();
    {
        let spool = open(dir.path());
        let handle = spool.handle();
        append(&*handle, 0..3);
        handle.durable().await.unwrap();
        let (_, position) = spool.reader().next_batch(2).unwrap().unwrap();
        spool.reader().advance(position).unwrap();
        spool.close().await.unwrap();
    }
    std::fs::write(dir.path().join("cursor"), "{").unwrap();
    let spool = open_when_free(dir.path(), &quick(), FileDisk).await;
    assert_eq!(ship_all(&spool.reader()), [0, 1, 2]);
}

#[tokio::test]
async fn segments_follow_each_other_and_go_when_shipped() {
    let dir = folder();
    let options = SpoolOptions { segment_bytes: 500, ..quick() };
    let spool = FileSpool::open(dir.path(), options).unwrap();
    let handle = spool.handle();
    for number in 0..12 {
        append(&*handle, [number]);
        handle.durable().await.unwrap();
    }
    assert!(segments(dir.path()).len() > 3);
    assert_eq!(ship_all(&spool.reader()), (0..12).collect::<Vec<_>>());
    // The one being written stays.
    assert_eq!(segments(dir.path()).len(), 1);
}

#[tokio::test]
async fn threads_under_load_lose_nothing_and_keep_their_order() {
    const RECORDS: usize = 3_000;
    let dir = folder();
    let options = SpoolOptions { segment_bytes: 100_000, ..quick() };
    let spool = FileSpool::open(dir.path(), options).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let handle = spool.handle();
            scope.spawn(move || append(&*handle, (0..RECORDS).map(|number| thread * RECORDS + number)));
        }
    });
    // The handles are gone; what they appended is not.
    spool.drain().await.unwrap();
    let shipped = ship_all(&spool.reader());
    for thread in 0..3 {
        let range = thread * RECORDS..(thread + 1) * RECORDS;
        let own: Vec<_> = shipped.iter().copied().filter(|number| range.contains(number)).collect();
        assert_eq!(own, range.collect::<Vec<_>>());
    }
    assert_eq!(shipped.len(), 3 * RECORDS);
}

#[tokio::test]
async fn nobody_waits_for_the_window_to_end_who_needs_it_durable() {
    let dir = folder();
    let for_ever = SpoolOptions { commit_window: Duration::from_secs(3_600), ..quick() };
    let spool = FileSpool::open_on(dir.path(), for_ever, Arc::new(FileDisk)).unwrap();
    let handle = spool.handle();
    for number in 0..20 {
        append(&*handle, [number]);
        handle.durable().await.unwrap();
    }
    append(&*handle, [20]);
    spool.close().await.unwrap();
    assert_eq!(ship_all(&spool.reader()), (0..21).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_idle_spool_wakes_for_one_record() {
    let dir = folder();
    let spool = open(dir.path());
    let handle = spool.handle();
    for number in 0..3 {
        // Long enough for the committer to have gone to sleep.
        tokio::time::sleep(Duration::from_millis(30)).await;
        append(&*handle, [number]);
        until(|| spool.lag_bytes() > 0).await;
        assert_eq!(ship_all(&spool.reader()), [number]);
    }
}

#[tokio::test]
async fn closing_commits_everything_and_takes_no_more() {
    let dir = folder();
    let spool = open(dir.path());
    let handle = spool.handle();
    append(&*handle, 0..500);
    spool.close().await.unwrap();
    assert_eq!(ship_all(&spool.reader()).len(), 500);

    assert!(!spool.is_healthy());
    append(&*handle, [500]);
    assert_eq!(spool.lost_records(), 1);
    assert!(matches!(handle.durable().await, Err(PortError::Unavailable(_))));
    spool.close().await.unwrap();
}

#[tokio::test]
async fn what_the_database_refuses_lies_beside_the_segments() {
    let dir = folder();
    let spool = open(dir.path());
    let record = samples::request_record(OrgId::new(), samples::NEW_YEAR);
    let draft = numbered(1);
    let refused = Batch { requests: vec![record.clone()], audits: vec![draft.clone()] };
    let why = PortError::Corrupt("no such value".to_owned());
    // The second time as after a crash in between.
    for _ in 0..2 {
        SpoolSource::set_aside(&spool.reader(), &refused, &why).await.unwrap();
    }
    let read = |id: String| std::fs::read(dir.path().join(format!("{id}.refused"))).unwrap();
    assert_eq!(serde_json::from_slice::<RequestRecord>(&read(record.id.to_string())).unwrap(), record);
    assert_eq!(serde_json::from_slice::<AuditDraft>(&read(draft.id.to_string())).unwrap(), draft);
    assert_eq!(files(dir.path(), "refused").len(), 2);
    assert_eq!(spool.refused_records(), 4);
}

#[tokio::test]
async fn a_record_longer_than_usual_is_read_whole() {
    let dir = folder();
    let spool = open(dir.path());
    let handle = spool.handle();
    let long = numbered(1).with("long", "x".repeat(100_000));
    handle.append_audit(&long);
    handle.append_audit(&numbered(2));
    handle.durable().await.unwrap();
    let (batch, position) = spool.reader().next_batch(1).unwrap().unwrap();
    assert_eq!(batch.audits, [long]);
    spool.reader().advance(position).unwrap();
    assert_eq!(ship_all(&spool.reader()), [2]);
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let dir = folder();
    let spool = open(dir.path());
    assert!(matches!(FileSpool::open(dir.path(), quick()), Err(SpoolError::InUse { .. })));
    drop(spool);
    open_when_free(dir.path(), &quick(), FileDisk).await;
}

#[tokio::test]
async fn only_the_owner_can_read_it() {
    let dir = folder();
    let path = dir.path().join("made/on/demand");
    let spool = open(&path);
    let handle = spool.handle();
    append(&*handle, 0..2);
    handle.durable().await.unwrap();
    let (_, position) = spool.reader().next_batch(1).unwrap().unwrap();
    spool.reader().advance(position).unwrap();

    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in std::fs::read_dir(&path).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let dir = folder();
    let bad = [
        SpoolOptions { commit_window: Duration::from_millis(21), ..quick() },
        SpoolOptions { segment_bytes: 0, ..quick() },
        SpoolOptions { max_buffer_bytes: 2_000, max_disk_bytes: 1_000, ..quick() },
    ];
    for options in bad {
        assert!(matches!(FileSpool::open(dir.path(), options), Err(SpoolError::Options(_))));
    }
}
