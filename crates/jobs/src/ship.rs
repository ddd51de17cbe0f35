use crate::Stop;
use crate::pause::Backoff;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use topdog_domain::ports::{Batch, PortError, RecordSink, SpoolSource};

/// How long records may gather before they are looked for: a transaction costs much, a record in it little.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Records that are shipped in one transaction: under load, the more the less each costs. Not more, as a quota lease may
/// wait behind it for the only writer.
const BATCH_RECORDS: usize = 1_024;
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(15);
/// How long stopping may wait for what is left; the rest is shipped after the next start.
const LAST_ATTEMPT: Duration = Duration::from_secs(5);

/// Ships what is in the spool into the database, in order, and again until it is there. Close the spool before
/// you tell it to stop: its last attempt takes what is left.
pub async fn ship(source: Arc<dyn SpoolSource>, sink: Arc<dyn RecordSink>, stop: Stop) {
    // May be cut off between shipping and advancing: what is shipped twice is kept once.
    stop.cuts_off(ship_for_ever(&*source, &*sink)).await;
    match timeout(LAST_ATTEMPT, ship_all(&*source, &*sink)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "records stay in the spool until the next start"),
        Err(_) => tracing::warn!("records stay in the spool until the next start: the database is too slow"),
    }
}

async fn ship_for_ever(source: &dyn SpoolSource, sink: &dyn RecordSink) -> Infallible {
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        match ship_next(source, sink).await {
            Ok(shipped) => {
                backoff.succeeded();
                // Behind a batch that is not full are only those that came meanwhile: they wait for company.
                if shipped.is_none_or(|records| records < BATCH_RECORDS) {
                    sleep(LOOK_EVERY).await;
                }
            }
            Err(error) => {
                let pause = backoff.failed();
                let failures = backoff.failures();
                tracing::warn!(%error, failures, retry_in = ?pause, "records can't be shipped, they wait in the spool");
                sleep(pause).await;
            }
        }
    }
}

/// Ships until nothing is left.
async fn ship_all(source: &dyn SpoolSource, sink: &dyn RecordSink) -> Result<(), PortError> {
    while ship_next(source, sink).await?.is_some() {}
    Ok(())
}

/// Ships the next batch: how many records it had, of which there are none where all were damaged; none where
/// nothing is left.
async fn ship_next(source: &dyn SpoolSource, sink: &dyn RecordSink) -> Result<Option<usize>, PortError> {
    let Some((batch, position)) = source.next_batch(BATCH_RECORDS).await? else {
        return Ok(None);
    };
    let records = batch.len();
    ship_batch(source, sink, batch).await?;
    source.advance(position).await?;
    Ok(Some(records))
}

/// Ships a batch. One that the database refuses is halved until it is known which record is to blame: that is set
/// aside, and holds up nobody.
async fn ship_batch(source: &dyn SpoolSource, sink: &dyn RecordSink, batch: Batch) -> Result<(), PortError> {
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        if part.len() == 0 {
            continue;
        }
        match sink.ship(&part).await {
            Ok(()) => {}
            Err(error @ PortError::Unavailable(_)) => return Err(error),
            Err(error) if part.len() == 1 => source.set_aside(&part, &error).await?,
            Err(_) => {
                let (first, second) = part.halved();
                parts.extend([second, first]);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stopper;
    use async_trait::async_trait;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};
    use topdog_domain::fakes::{MemorySpool, MemoryStore, samples};
    use topdog_domain::ports::{PageWish, RecordReader, Spool, SpoolPosition};
    use topdog_domain::{OrgId, RecordId, Timestamp};

    struct Bed {
        spool: MemorySpool,
        store: Arc<MemoryStore>,
        org: OrgId,
        stopper: Stopper,
        worker: tokio::task::JoinHandle<()>,
    }

    impl Bed {
        fn start() -> Self {
            let (spool, store) = (MemorySpool::new(), Arc::new(MemoryStore::new()));
            let (stopper, stop) = Stopper::new();
            let worker = tokio::spawn(ship(Arc::new(spool.clone()), store.clone(), stop));
            Self { spool, store, org: OrgId::new(), stopper, worker }
        }

        fn append(&self, records: usize) -> Vec<RecordId> {
            let handle = self.spool.handle();
            let record = || {
                let record = samples::request_record(self.org, samples::NEW_YEAR);
                handle.append_request(&record);
                record.id
            };
            (0..records).map(|_| record()).collect()
        }

        async fn shipped(&self) -> usize {
            let wish = PageWish { after: None, limit: 10_000 };
            self.store.usage_list(self.org, &wish).await.unwrap().rows.len()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn records_are_in_the_database_within_a_quarter_of_a_second() {
        let bed = Bed::start();
        for round in 1..=3 {
            sleep(Duration::from_secs(10)).await;
            bed.append(3);
            sleep(LOOK_EVERY).await;
            assert_eq!(bed.shipped().await, 3 * round);
            assert_eq!(bed.spool.lag_bytes(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_database_may_be_away_for_an_hour() {
        let bed = Bed::start();
        bed.store.set_away(true);
        bed.append(1_700);
        sleep(Duration::from_secs(3_600)).await;
        bed.append(3);
        bed.store.set_away(false);
        sleep(LONGEST_RETRY).await;
        assert_eq!(bed.shipped().await, 1_703);
        assert_eq!(bed.spool.lag_bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_ships_what_is_left() {
        let bed = Bed::start();
        sleep(Duration::from_millis(10)).await;
        let before = tokio::time::Instant::now();
        bed.append(1_200);
        bed.stopper.stop();
        let Bed { worker, spool, .. } = bed;
        worker.await.unwrap();
        assert_eq!(spool.lag_bytes(), 0);
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_does_not_wait_for_a_database_that_is_away() {
        let bed = Bed::start();
        bed.store.set_away(true);
        bed.append(10);
        sleep(Duration::from_secs(60)).await;
        let before = tokio::time::Instant::now();
        drop(bed.stopper);
        bed.worker.await.unwrap();
        assert!(before.elapsed() <= LAST_ATTEMPT);
        assert_eq!(bed.spool.lag_bytes(), 10);
    }

    /// Keeps what it is given but sometimes says that it has not, as a database whose answer is lost.
    #[derive(Default)]
    struct ForgetfulSink {
        calls: AtomicU64,
        kept: Mutex<Vec<RecordId>>,
    }

    #[async_trait]
    impl RecordSink for ForgetfulSink {
        async fn ship(&self, batch: &Batch) -> Result<(), PortError> {
            let mut kept = self.kept.lock().unwrap();
            for record in &batch.requests {
                if !kept.contains(&record.id) {
                    kept.push(record.id);
                }
            }
            match self.calls.fetch_add(1, Ordering::SeqCst) % 3 {
                0 => Ok(()),
                _ => Err(PortError::Unavailable("the answer was lost".into())),
            }
        }

        async fn debug_log_prune(&self, _: OrgId, _: Timestamp) -> Result<u64, PortError> {
            Ok(0)
        }

        async fn debug_log_prune_ownerless(&self) -> Result<u64, PortError> {
            Ok(0)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_or_reordered_by_lost_answers() {
        let (spool, sink) = (MemorySpool::new(), Arc::new(ForgetfulSink::default()));
        let (stopper, stop) = Stopper::new();
        let worker = tokio::spawn(ship(Arc::new(spool.clone()), sink.clone(), stop));
        let mut appended = Vec::new();
        for _ in 0..40 {
            let record = samples::request_record(OrgId::new(), samples::NEW_YEAR);
            spool.handle().append_request(&record);
            appended.push(record.id);
            sleep(Duration::from_millis(170)).await;
        }
        sleep(Duration::from_secs(60)).await;
        assert_eq!(*sink.kept.lock().unwrap(), appended);
        assert_eq!(spool.lag_bytes(), 0);
        stopper.stop();
        worker.await.unwrap();
    }

    /// A spool whose next part is damaged.
    struct DamagedSource(AtomicU64);

    #[async_trait]
    impl SpoolSource for DamagedSource {
        async fn next_batch(&self, _: usize) -> Result<Option<(Batch, SpoolPosition)>, PortError> {
            let is_passed = self.0.load(Ordering::SeqCst) > 0;
            Ok((!is_passed).then(|| (Batch::default(), SpoolPosition { segment: 1, offset: 99 })))
        }

        async fn advance(&self, position: SpoolPosition) -> Result<(), PortError> {
            self.0.store(position.offset, Ordering::SeqCst);
            Ok(())
        }

        async fn set_aside(&self, _: &Batch, _: &PortError) -> Result<(), PortError> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn damage_is_passed_over_without_asking_the_database() {
        let store = MemoryStore::new();
        store.set_away(true);
        let source = DamagedSource(AtomicU64::new(0));
        ship_all(&source, &store).await.unwrap();
        assert_eq!(source.0.load(Ordering::SeqCst), 99);
    }

    /// Takes any record but some, and no batch with one of those in it.
    struct ChoosySink {
        refused: Vec<RecordId>,
        calls: AtomicU64,
        kept: Mutex<Vec<RecordId>>,
    }

    #[async_trait]
    impl RecordSink for ChoosySink {
        async fn ship(&self, batch: &Batch) -> Result<(), PortError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let ids = || batch.requests.iter().map(|r| r.id).chain(batch.audits.iter().map(|a| a.id));
            if ids().any(|id| self.refused.contains(&id)) {
                return Err(PortError::Corrupt("no such value".to_owned()));
            }
            self.kept.lock().unwrap().extend(ids());
            Ok(())
        }

        async fn debug_log_prune(&self, _: OrgId, _: Timestamp) -> Result<u64, PortError> {
            Ok(0)
        }

        async fn debug_log_prune_ownerless(&self) -> Result<u64, PortError> {
            Ok(0)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_database_refuses_is_set_aside_and_holds_up_nothing() {
        let spool = MemorySpool::new();
        let handle = spool.handle();
        let mut ids = Vec::new();
        for number in 0..1_000 {
            let record = samples::request_record(OrgId::new(), samples::NEW_YEAR);
            handle.append_request(&record);
            ids.push(record.id);
            if number % 100 == 50 {
                let draft = samples::audit(OrgId::new(), "test.audit");
                handle.append_audit(&draft);
                ids.push(draft.id);
            }
        }
        // A request, an audit entry, and two that are neighbours.
        let refused: Vec<RecordId> = [7, 51, 700, 701].map(|place: usize| ids[place]).to_vec();
        let sink = ChoosySink { refused: refused.clone(), calls: AtomicU64::new(0), kept: Mutex::default() };
        ship_all(&spool, &sink).await.unwrap();

        let mut set_aside = spool.set_aside();
        set_aside.sort();
        assert_eq!(set_aside, refused);
        let mut kept = sink.kept.into_inner().unwrap();
        kept.sort();
        ids.retain(|id| !refused.contains(id));
        ids.sort();
        assert_eq!(kept, ids);
        assert_eq!(spool.lag_bytes(), 0);
        assert!(sink.calls.into_inner() < 80, "found by halving");
    }

    #[tokio::test(start_paused = true)]
    async fn records_wait_for_company() {
        let (spool, sink) = (MemorySpool::new(), Arc::new(ForgetfulSink::default()));
        let (stopper, stop) = Stopper::new();
        // The answers of the second and the third call are lost: count from behind them.
        sink.calls.store(3, Ordering::SeqCst);
        let handle = spool.handle();
        let append = |records: usize| {
            for _ in 0..records {
                handle.append_request(&samples::request_record(OrgId::new(), samples::NEW_YEAR));
            }
        };
        append(BATCH_RECORDS + 1);
        let worker = tokio::spawn(ship(Arc::new(spool.clone()), sink.clone(), stop));
        sleep(Duration::from_millis(1)).await;
        // A full batch is followed at once by what is behind it, of which the answer is lost.
        assert_eq!(sink.calls.load(Ordering::SeqCst), 5);
        append(1);
        sleep(FIRST_RETRY / 2 - Duration::from_millis(2)).await;
        assert_eq!(sink.calls.load(Ordering::SeqCst), 5);
        stopper.stop();
        worker.abort();
    }
}
