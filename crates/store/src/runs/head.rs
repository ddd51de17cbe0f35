use super::MOST;
use topdog_domain::usage::{Outcome, RequestRecord};
use topdog_domain::{OrgId, RecordId, Timestamp};
use uuid::Uuid;

/// How long a window is: the records of a run arrived within one, and their ids are of one.
const WINDOW_MS: u64 = 10 * 60 * 1_000;
const WINDOW_US: i64 = 10 * 60 * 1_000_000;

/// What is known of a run without reading its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) org: OrgId,
    /// The least of its ids.
    pub(crate) first_id: RecordId,
    /// The greatest.
    pub(crate) last_id: RecordId,
    /// When its first request arrived.
    pub(crate) first_at: Timestamp,
    /// When its last did.
    pub(crate) last_at: Timestamp,
    /// How many there are.
    pub(crate) records: usize,
    /// Are they usage events? What was refused used nothing, and goes with its debug log.
    pub(crate) is_used: bool,
}

impl Head {
    /// The head of a run of these, which are in the order of their ids; none where there are none.
    pub(super) fn of(records: &[&RequestRecord]) -> Option<Self> {
        let (first, last) = (records.first()?, records.last()?);
        let times = || records.iter().map(|record| record.at);
        Some(Self {
            org: first.org,
            first_id: first.id,
            last_id: last.id,
            first_at: times().min()?,
            last_at: times().max()?,
            records: records.len(),
            is_used: is_used(first),
        })
    }

    /// Can there be such a run?
    pub(super) fn is_sound(&self) -> bool {
        let is_ordered = self.first_id <= self.last_id && self.first_at <= self.last_at;
        is_ordered && (1..=MOST).contains(&self.records)
    }

    /// What the checksum of each part covers of it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(80);
        for id in [self.org.uuid(), self.first_id.uuid(), self.last_id.uuid()] {
            bytes.extend(id.as_bytes());
        }
        bytes.extend(self.first_at.micros().to_le_bytes());
        bytes.extend(self.last_at.micros().to_le_bytes());
        bytes.extend((self.records as u64).to_le_bytes());
        bytes.push(self.is_used.into());
        bytes
    }
}

/// What all the records of a run have in common.
pub(super) fn place(record: &RequestRecord) -> (OrgId, bool, i64, u64) {
    (record.org, is_used(record), window_of(record.at), windows_number(record.id))
}

fn is_used(record: &RequestRecord) -> bool {
    record.outcome != Outcome::Refused
}

fn window_of(at: Timestamp) -> i64 {
    at.micros().div_euclid(WINDOW_US)
}

/// When the window of `at` begins: no run that has a record of it began before.
pub(crate) fn windows_start(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(window_of(at).saturating_mul(WINDOW_US))
}

/// Which window an id is of: it begins with the milliseconds at which it was made.
pub(crate) fn windows_number(id: RecordId) -> u64 {
    (id.uuid().as_u128() >> 80) as u64 / WINDOW_MS
}

/// Bytes behind every id of the window that `id` is of, and before all of the next: no run that has the id ends behind.
pub(crate) fn windows_end(id: RecordId) -> Vec<u8> {
    let end_ms = (windows_number(id) + 1) * WINDOW_MS;
    if end_ms < 1 << 48 {
        Uuid::from_u128(u128::from(end_ms) << 80).as_bytes().to_vec()
    } else {
        // There is no next, so it is longer than the last.
        vec![u8::MAX; 17]
    }
}
