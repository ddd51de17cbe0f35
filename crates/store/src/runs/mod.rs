//! Runs: records of requests as the database keeps them, many in a row. A row for each would cost more than all the rest
//! of a record.
//!
//! A run has records of one organisation that are all used or all refused, that arrived within the same ten minutes and
//! whose ids were made within the same ten: so a run of any time, or with any id, is found without looking at all. It
//! consists of its [`Head`], which are columns of their own, and of four parts in bytes, each with a checksum that covers
//! the head too: the ids, by which a record is known that is there already; the [sums](sums), so that nobody reads records
//! to add them up; the facts of usage events; the details of debug logs, which are deleted in their time.

mod column;
mod head;
mod part;
mod record;
mod sums;

#[cfg(test)]
mod tests;

pub(crate) use head::{Head, windows_end, windows_number, windows_start};
pub(crate) use part::BadPart;
pub(crate) use sums::ModelSum;

use column::Column;
use part::Part;
use record::{Detail, Facts, Judged};
use topdog_domain::RecordId;
use topdog_domain::usage::RequestRecord;

/// Records in a run at the most: whoever wants one reads all of its run.
pub(crate) const MOST: usize = 256;

/// A run as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) head: Head,
    pub(crate) ids: Vec<u8>,
    pub(crate) sums: Vec<u8>,
    pub(crate) facts: Vec<u8>,
    /// None when their time is over.
    pub(crate) detail: Option<Vec<u8>>,
}

impl Run {
    /// The runs of records of which each is there once.
    pub(crate) fn gather(mut records: Vec<&RequestRecord>) -> Vec<Self> {
        // With its id in it, a place orders each run by the ids.
        records.sort_unstable_by_key(|record| (head::place(record), record.id));
        records
            .chunk_by(|a, b| head::place(a) == head::place(b))
            .flat_map(|together| together.chunks(MOST))
            .filter_map(Self::of)
            .collect()
    }

    /// The run of these, which are in the order of their ids; none where there are none.
    fn of(records: &[&RequestRecord]) -> Option<Self> {
        let head = Head::of(records)?;
        let part = |part, put: &dyn Fn(&mut Vec<u8>)| part::write(part, part::LAYOUT, &head, put);
        let is_judged = records.iter().any(|record| record.guardrails.is_some());
        let detail = if is_judged {
            part::write(Part::Detail, part::JUDGED_LAYOUT, &head, &|bytes| {
                Detail::put(records, bytes);
                Judged::put(records, bytes);
            })
        } else {
            part(Part::Detail, &|bytes| Detail::put(records, bytes))
        };
        let ids: Vec<&RecordId> = records.iter().map(|record| &record.id).collect();
        let sums = sums::of(records);
        Some(Self {
            ids: part(Part::Ids, &|bytes| Column::put(&ids, bytes)),
            sums: part(Part::Sums, &|bytes| sums::put(&sums, bytes)),
            facts: part(Part::Facts, &|bytes| Facts::put(records, bytes)),
            detail: Some(detail),
            head,
        })
    }

    /// The run without its details.
    pub(crate) fn stripped(self) -> Self {
        Self { detail: None, ..self }
    }
}

/// The records of a run, in the order of their ids. What only the details knew is empty or 0 where they are gone.
pub(crate) fn records(
    head: &Head,
    ids: &[u8],
    facts: &[u8],
    detail: Option<&[u8]>,
) -> Result<Vec<RequestRecord>, BadPart> {
    let count = head.records;
    let ids = self::ids(head, ids)?;
    let facts = part::read(Part::Facts, head, facts, |bytes| Facts::take(count, bytes))?;
    let details = match detail {
        None => vec![(Detail::default(), Judged::default()); count],
        Some(detail) => {
            part::read_layouts(Part::Detail, part::JUDGED_LAYOUT, head, detail, |layout, bytes| {
                let details = Detail::take(count, bytes)?;
                let judged = match layout {
                    part::JUDGED_LAYOUT => Judged::take(count, bytes)?,
                    _ => vec![Judged::default(); count],
                };
                Some(details.into_iter().zip(judged).collect())
            })?
        }
    };
    let records = ids.into_iter().zip(facts).zip(details);
    Ok(records.map(|((id, facts), detail)| record::whole(id, head.org, facts, detail)).collect())
}

/// The ids of a run's records.
pub(crate) fn ids(head: &Head, bytes: &[u8]) -> Result<Vec<RecordId>, BadPart> {
    part::read(Part::Ids, head, bytes, |bytes| Column::take(head.records, bytes))
}

/// What a run's counted records used, by provider and model.
pub(crate) fn sums(head: &Head, bytes: &[u8]) -> Result<Vec<ModelSum>, BadPart> {
    part::read(Part::Sums, head, bytes, sums::take)
}
