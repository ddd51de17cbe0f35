use std::collections::BTreeMap;
use topdog_domain::ports::SpoolPosition;

/// What is in the segments: how much of each is durable, and how much is shipped.
#[derive(Debug, Default)]
pub(super) struct SegmentTable {
    /// Durable bytes by segment.
    durable: BTreeMap<u64, u64>,
    /// The one being written; all others are as long as they will ever be.
    active: Option<u64>,
    /// Everything before it is shipped.
    cursor: SpoolPosition,
    next_id: u64,
}

impl SegmentTable {
    pub(super) fn new(durable: BTreeMap<u64, u64>, cursor: SpoolPosition) -> Self {
        let newest = durable.keys().next_back().copied().unwrap_or_default();
        Self {
            // Never an id that the cursor could take for one that is shipped already.
            next_id: newest.max(cursor.segment).saturating_add(1),
            durable,
            active: None,
            cursor,
        }
    }

    /// An id that no segment ever had.
    pub(super) fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        id
    }

    /// The segments have so many durable bytes now; the last is the one being written.
    pub(super) fn grow(&mut self, segments: impl Iterator<Item = (u64, u64)>) {
        for (id, durable_bytes) in segments {
            self.active = Some(id);
            self.durable.insert(id, durable_bytes);
        }
    }

    /// The segment being written is not written any more.
    pub(super) fn seal(&mut self) {
        self.active = None;
    }

    pub(super) const fn cursor(&self) -> SpoolPosition {
        self.cursor
    }

    /// The shipper has come to `position`; never goes back.
    pub(super) fn advance(&mut self, position: SpoolPosition) {
        self.cursor = self.cursor.max(position);
    }

    /// Durable bytes of all segments.
    pub(super) fn total_bytes(&self) -> u64 {
        self.durable.values().sum()
    }

    /// Durable bytes behind the cursor.
    pub(super) fn lag_bytes(&self) -> u64 {
        self.unshipped().map(|unshipped| unshipped.end - unshipped.start).sum()
    }

    /// The oldest part that is durable and not shipped.
    pub(super) fn next_unshipped(&self) -> Option<Unshipped> {
        self.unshipped().find(|unshipped| unshipped.start < unshipped.end)
    }

    /// Forgets the segments that are shipped and not written any more, and names them.
    pub(super) fn remove_shipped(&mut self) -> Vec<u64> {
        let end = (self.cursor.segment, self.cursor.offset);
        let shipped: Vec<u64> = self
            .durable
            .iter()
            .filter(|(id, len)| (**id, **len) <= end && Some(**id) != self.active)
            .map(|(id, _)| *id)
            .collect();
        for id in &shipped {
            self.durable.remove(id);
        }
        shipped
    }

    fn unshipped(&self) -> impl Iterator<Item = Unshipped> {
        self.durable.range(self.cursor.segment..).map(|(id, len)| Unshipped {
            segment: *id,
            start: if *id == self.cursor.segment { self.cursor.offset.min(*len) } else { 0 },
            end: *len,
        })
    }
}

/// A part of a segment: bytes `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unshipped {
    pub(super) segment: u64,
    pub(super) start: u64,
    pub(super) end: u64,
}
