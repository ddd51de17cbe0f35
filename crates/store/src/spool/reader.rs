use super::SpoolError;
use super::frame::{self, Frame, MAX_FRAME_BYTES};
use super::shared::Shared;
use super::table::Unshipped;
use async_trait::async_trait;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use topdog_domain::RecordId;
use topdog_domain::ports::{Batch, PortError, SpoolPosition, SpoolSource};

/// Rather more than the frame of a request takes.
const USUAL_FRAME_BYTES: usize = 512;

/// The spool's end that the shipper takes from. Reads nothing that is not durable; clones are the same end.
#[derive(Clone)]
pub struct SpoolReader {
    shared: Arc<Shared>,
    /// Two that advance at the same time would overtake each other on the disk.
    turn: Arc<Mutex<()>>,
}

impl SpoolReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, turn: Arc::default() }
    }

    /// The oldest durable records that are not yet shipped, at most `max`, with the place behind them; none where
    /// all are shipped. What is damaged is put aside into a file of its own and passed over: a batch may be empty.
    ///
    /// # Errors
    /// Where the segment can't be read, or what is damaged can't be put aside.
    pub fn next_batch(&self, max: usize) -> Result<Option<(Batch, SpoolPosition)>, SpoolError> {
        self.remove_shipped();
        let Some(part) = self.shared.table().next_unshipped() else {
            return Ok(None);
        };
        let wanted = max.saturating_mul(USUAL_FRAME_BYTES).min(MAX_FRAME_BYTES);
        let mut bytes = self.read(part, wanted)?;
        if Frame::parse(&bytes).is_none() {
            // One whole frame at least, however long.
            bytes = self.read(part, MAX_FRAME_BYTES)?;
        }
        let mut batch = Batch::default();
        let mut read = 0;
        for _ in 0..max {
            let Some(frame) = bytes.get(read..).and_then(Frame::parse) else {
                break;
            };
            let start = read;
            read += frame.len();
            if !frame.add_to(&mut batch) {
                let position = position(part, start);
                self.put_aside(position, bytes.get(start..read).unwrap_or_default())?;
            }
        }
        if read == 0 && max > 0 {
            read = self.pass_over_damage(part)?;
        }
        Ok(Some((batch, position(part, read))))
    }

    fn read(&self, part: Unshipped, bytes: usize) -> Result<Vec<u8>, SpoolError> {
        let end = part.end.min(part.start.saturating_add(bytes as u64));
        self.shared.folder.read_segment(part.segment, part.start, end)
    }

    /// Everything before `position` is shipped: remembers it on the disk and deletes the segments that are done.
    ///
    /// # Errors
    /// Where it can't be remembered; it is then shipped again after the next start, which changes nothing.
    pub fn advance(&self, position: SpoolPosition) -> Result<(), SpoolError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let cursor = {
            let mut table = self.shared.table();
            table.advance(position);
            table.cursor()
        };
        self.shared.folder.write_cursor(cursor)?;
        self.remove_shipped();
        Ok(())
    }

    /// Keeps records that the database will never take, each as JSON in a file `<record id>.refused`.
    ///
    /// # Errors
    /// Where a file can't be written.
    pub fn set_aside(&self, refused: &Batch) -> Result<(), SpoolError> {
        for record in &refused.requests {
            self.set_aside_one(record.id, record)?;
        }
        for draft in &refused.audits {
            self.set_aside_one(draft.id, draft)?;
        }
        Ok(())
    }

    fn set_aside_one<T: Serialize>(&self, id: RecordId, record: &T) -> Result<(), SpoolError> {
        let path = self.shared.folder.set_aside(id, record)?;
        self.shared.count_refused();
        tracing::error!(path = %path.display(), "a record that the database refuses is set aside unshipped");
        Ok(())
    }

    /// Durable bytes that are not yet shipped.
    #[must_use]
    pub fn lag_bytes(&self) -> u64 {
        self.shared.table().lag_bytes()
    }

    fn remove_shipped(&self) {
        let shipped = self.shared.table().remove_shipped();
        for id in shipped {
            self.shared.folder.delete_segment(id);
        }
    }

    /// Bytes until the next intact frame, which are put aside.
    fn pass_over_damage(&self, part: Unshipped) -> Result<usize, SpoolError> {
        let bytes = self.shared.folder.read_segment(part.segment, part.start, part.end)?;
        let damaged = frame::find(&bytes).unwrap_or(bytes.len());
        self.put_aside(position(part, 0), bytes.get(..damaged).unwrap_or_default())?;
        Ok(damaged)
    }

    fn put_aside(&self, at: SpoolPosition, bytes: &[u8]) -> Result<(), SpoolError> {
        let path = self.shared.folder.put_aside(at, bytes)?;
        tracing::error!(
            path = %path.display(),
            bytes = bytes.len(),
            "records in the spool can't be read, they are put aside unshipped"
        );
        Ok(())
    }
}

#[async_trait]
impl SpoolSource for SpoolReader {
    async fn next_batch(&self, max: usize) -> Result<Option<(Batch, SpoolPosition)>, PortError> {
        let reader = self.clone();
        off_the_runtime(move || Self::next_batch(&reader, max)).await
    }

    async fn advance(&self, position: SpoolPosition) -> Result<(), PortError> {
        let reader = self.clone();
        off_the_runtime(move || Self::advance(&reader, position)).await
    }

    async fn set_aside(&self, refused: &Batch, why: &PortError) -> Result<(), PortError> {
        let (reader, refused) = (self.clone(), refused.clone());
        tracing::error!(error = %why, records = refused.len(), "the database refuses records for good");
        off_the_runtime(move || Self::set_aside(&reader, &refused)).await
    }
}

/// Reading and syncing files would hold up whatever else the runtime's thread has to do.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, PortError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| PortError::Unavailable(Box::new(error)))??)
}

const fn position(part: Unshipped, read: usize) -> SpoolPosition {
    SpoolPosition { segment: part.segment, offset: part.start + read as u64 }
}
