use super::*;
use crate::spool::frame::{self, Kind, Record, Unframeable};
use topdog_domain::ports::Spool;

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_cut_off() {
    let whole = segment_with(3).await;
    let intact = segment_with(2).await.len();
    // Records differ in their ids only, so their frames are of one length.
    assert_eq!(intact * 3, whole.len() * 2);
    for cut in intact..whole.len() {
        let dir = folder_with(&whole[..cut]);
        let spool = open(dir.path());
        assert_eq!(spool.lag_bytes(), intact as u64, "cut at {cut}");
        assert_eq!(segments(dir.path())[0].metadata().unwrap().len(), intact as u64);
        assert_eq!(ship_all(&spool.reader()), [0, 1]);
        assert!(files(dir.path(), "damaged").is_empty());
    }
}

#[tokio::test]
async fn records_follow_a_torn_tail_in_a_segment_of_their_own() {
    let whole = segment_with(2).await;
    let dir = folder_with(&whole[..whole.len() - 1]);
    let spool = open(dir.path());
    let handle = spool.handle();
    append(&*handle, [7]);
    handle.durable().await.unwrap();
    assert_eq!(segments(dir.path()).len(), 2);
    assert_eq!(ship_all(&spool.reader()), [0, 7]);
}

#[tokio::test]
async fn a_tail_of_zeros_is_cut_off() {
    let mut whole = segment_with(2).await;
    whole.extend_from_slice(&[0; 4096]);
    let dir = folder_with(&whole);
    assert_eq!(ship_all(&open(dir.path()).reader()), [0, 1]);
}

#[tokio::test]
async fn a_segment_without_an_intact_record_is_deleted() {
    for content in [Vec::new(), vec![0; 100], segment_with(1).await[..50].to_vec()] {
        let dir = folder_with(&content);
        let spool = open(dir.path());
        assert_eq!(spool.lag_bytes(), 0);
        assert!(segments(dir.path()).is_empty());
    }
}

#[tokio::test]
async fn a_wrong_byte_anywhere_in_the_middle_costs_one_record() {
    let whole = segment_with(3).await;
    let frame = whole.len() / 3;
    for at in frame..2 * frame {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x20;
        let dir = folder_with(&damaged);
        let spool = open(dir.path());
        assert_eq!(ship_all(&spool.reader()), [0, 2], "byte {at}");
        let aside = files(dir.path(), "damaged");
        assert_eq!(aside.len(), 1);
        assert_eq!(std::fs::read(&aside[0]).unwrap(), damaged[frame..2 * frame]);
    }
}

#[tokio::test]
async fn a_sealed_segment_that_is_torn_does_not_hold_up_the_next() {
    let whole = segment_with(2).await;
    let dir = folder_with(&whole[..whole.len() - 9]);
    std::fs::write(dir.path().join("0000000000000002.seg"), segment_with(1).await).unwrap();
    let spool = open(dir.path());
    assert_eq!(ship_all(&spool.reader()), [0, 0]);
    assert_eq!(spool.lag_bytes(), 0);
    assert!(segments(dir.path()).is_empty());
}

#[tokio::test]
async fn a_record_of_another_version_is_put_aside() {
    let dir = folder();
    let spool = open(dir.path());
    let handle = spool.handle();
    append(&*handle, 0..2);
    spool.close().await.unwrap();
    let mut bytes = std::fs::read(&segments(dir.path())[0]).unwrap();
    let mut foreign = Vec::new();
    frame::encode(&mut foreign, &Foreign).unwrap();
    let middle = bytes.len() / 2;
    bytes.splice(middle..middle, foreign.iter().copied());

    let dir = folder_with(&bytes);
    let spool = open(dir.path());
    assert_eq!(ship_all(&spool.reader()), [0, 1]);
    assert_eq!(std::fs::read(&files(dir.path(), "damaged")[0]).unwrap(), foreign);
}

#[tokio::test]
async fn ids_of_deleted_segments_are_not_used_again() {
    let dir = folder_with(&segment_with(1).await);
    {
        let spool = open(dir.path());
        assert_eq!(ship_all(&spool.reader()), [0]);
        assert!(segments(dir.path()).is_empty());
        spool.close().await.unwrap();
    }
    let spool = open_when_free(dir.path(), &quick(), FileDisk).await;
    let handle = spool.handle();
    append(&*handle, [1]);
    handle.durable().await.unwrap();
    assert!(segments(dir.path())[0].ends_with("0000000000000002.seg"));
    assert_eq!(ship_all(&spool.reader()), [1]);
}

#[tokio::test]
async fn the_two_newest_segments_are_looked_at_and_an_empty_one_is_not_one_of_them() {
    let torn = segment_with(2).await;
    let dir = folder_with(&torn[..torn.len() - 1]);
    std::fs::write(dir.path().join("0000000000000002.seg"), &torn[..torn.len() - 2]).unwrap();
    std::fs::write(dir.path().join("0000000000000003.seg"), "").unwrap();
    let spool = open(dir.path());
    assert_eq!(spool.lag_bytes(), torn.len() as u64);
    assert_eq!(ship_all(&spool.reader()), [0, 0]);
    assert!(files(dir.path(), "damaged").is_empty());
}

/// A record of another version.
struct Foreign;

impl Record for Foreign {
    const KIND: Kind = Kind::Audit;

    fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unframeable> {
        bytes.extend_from_slice(br#"{"from":"the future"}"#);
        Ok(())
    }
}
