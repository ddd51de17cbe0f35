use super::{RecorderPlace, SpoolError};
use std::time::Duration;

/// How a spool behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolOptions {
    /// How long records are gathered before they are committed together; 20 ms at most.
    pub commit_window: Duration,
    /// A segment that has grown to so many bytes is followed by a new one.
    pub segment_bytes: u64,
    /// Bytes of records that are kept in memory while the disk can't be written; then they are lost, and counted.
    pub max_buffer_bytes: usize,
    /// Bytes that all segments may have together; beyond it the disk counts as full.
    pub max_disk_bytes: u64,
    /// Where records outlive the process until they are committed.
    pub recorder: RecorderPlace,
}

const MIB: u64 = 1024 * 1024;

impl Default for SpoolOptions {
    fn default() -> Self {
        Self {
            commit_window: Duration::from_millis(10),
            segment_bytes: 16 * MIB,
            max_buffer_bytes: 64 * 1024 * 1024,
            max_disk_bytes: 4096 * MIB,
            recorder: RecorderPlace::Auto,
        }
    }
}

impl SpoolOptions {
    pub(super) fn check(&self) -> Result<(), SpoolError> {
        if self.commit_window > Duration::from_millis(20) {
            return Err(SpoolError::Options("the commit window is 20 ms at most"));
        }
        if self.segment_bytes == 0 || self.max_buffer_bytes == 0 {
            return Err(SpoolError::Options("segments and buffers need more than 0 bytes"));
        }
        if self.max_disk_bytes < self.max_buffer_bytes as u64 {
            return Err(SpoolError::Options(
                "max_disk_bytes must be at least max_buffer_bytes, so that what was buffered fits",
            ));
        }
        Ok(())
    }
}
