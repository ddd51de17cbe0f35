//! Entries that were appended together, as they are kept: what they share is said once.

use super::{AuditDraft, AuditEntry, ChainHash, canonical_body, link};
use crate::{OrgId, RecordId};
use serde::Deserialize;
use std::iter::successors;

/// Consecutive entries of one chain. A hash is kept once, as its entry's own and not again as the next one's
/// previous, and a place not at all but for the last: so nothing can be said in two ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRun {
    /// Whose chain.
    pub org: OrgId,
    /// The last entry's place.
    pub last_seq: u64,
    /// The canonical bodies, a line each: no JSON that is written compactly has a line's end in it.
    pub bodies: String,
    /// The hash of the entry before the first.
    pub prev: ChainHash,
    /// The hashes, 32 bytes each.
    pub hashes: Vec<u8>,
}

impl AuditRun {
    /// Entries in one run at the most: whoever wants one reads all of its run.
    pub const MOST: usize = 256;

    /// An empty run behind the entry with that place and hash (0 and [`ChainHash::GENESIS`] for a new chain).
    #[must_use]
    pub const fn behind(org: OrgId, (last_seq, last_hash): (u64, ChainHash)) -> Self {
        Self { org, last_seq, bodies: String::new(), prev: last_hash, hashes: Vec::new() }
    }

    /// Puts a draft behind the last entry.
    pub fn push(&mut self, draft: &AuditDraft) {
        let (seq, prev) = self.head();
        let seq = seq.saturating_add(1);
        let body = canonical_body(seq, draft);
        if !self.is_empty() {
            self.bodies.push('\n');
        }
        self.bodies.push_str(&body);
        self.hashes.extend(link(prev, &body).0);
        self.last_seq = seq;
    }

    /// The last entry's place and hash; of the one before the run, where it is empty.
    #[must_use]
    pub fn head(&self) -> (u64, ChainHash) {
        (self.last_seq, self.hashes.last_chunk().map_or(self.prev, |hash| ChainHash(*hash)))
    }

    /// Has nothing been put into it?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Is it as long as a run may be?
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.hashes.len() >= Self::MOST * 32
    }

    /// The entries. Where someone has been at the run, so that not each body has its hash, those without the other
    /// are entries too: checking the chain finds them.
    #[must_use]
    pub fn entries(&self) -> Vec<AuditEntry> {
        let bodies: Vec<&str> = self.bodies.split('\n').collect();
        let hashes: Vec<ChainHash> = self.hashes.chunks(32).map(padded).collect();
        let len = bodies.len().max(hashes.len());
        let first_seq = self.last_seq.saturating_add(1).saturating_sub(len as u64);
        let seqs = successors(Some(first_seq), |seq| seq.checked_add(1));
        let mut prev = self.prev;
        let entry = |(place, seq)| {
            let body = bodies.get(place).copied().unwrap_or_default();
            let hash = hashes.get(place).copied().unwrap_or(ChainHash::GENESIS);
            let prev = std::mem::replace(&mut prev, hash);
            AuditEntry { seq, id: id_of(body), org: self.org, body: body.to_owned(), prev, hash }
        };
        (0..len).zip(seqs).map(entry).collect()
    }
}

fn padded(bytes: &[u8]) -> ChainHash {
    let mut hash = [0; 32];
    hash.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    ChainHash(hash)
}

/// The id that a body says; the nil id, where it says none.
fn id_of(body: &str) -> RecordId {
    #[derive(Deserialize)]
    struct BodyId {
        id: RecordId,
    }
    serde_json::from_str::<BodyId>(body).map_or(RecordId::from_uuid(uuid::Uuid::nil()), |body| body.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::audit::{Actor, ChainFault, ChainVerifier};
    use std::collections::BTreeSet;

    fn run() -> AuditRun {
        let org = OrgId::new();
        let mut run = AuditRun::behind(org, (0, ChainHash::GENESIS));
        for action in ["a", "two\nlines", "c", "d"] {
            run.push(&AuditDraft::new(Timestamp::from_micros(1), org, Actor::System, action, "\n"));
        }
        run
    }

    fn check(run: &AuditRun) -> Result<(), ChainFault> {
        let mut verifier = ChainVerifier::new(run.org);
        run.entries().iter().try_for_each(|entry| verifier.next(entry))
    }

    #[test]
    fn a_run_gives_the_entries_that_appending_one_by_one_gives() {
        let org = OrgId::new();
        let mut run = AuditRun::behind(org, (41, ChainHash([7; 32])));
        let mut entries: Vec<AuditEntry> = Vec::new();
        assert!(run.is_empty());
        while !run.is_full() {
            let draft = AuditDraft::new(Timestamp::from_micros(1), org, Actor::Operator, "a.b", "\n\\n");
            let (seq, hash) = run.head();
            entries.push(AuditEntry::append(seq, hash, &draft));
            run.push(&draft);
        }
        assert_eq!(entries.len(), AuditRun::MOST);
        assert_eq!(run.entries(), entries);
        assert_eq!(run.head(), entries.last().map(|last| (last.seq, last.hash)).unwrap());
    }

    #[test]
    fn whatever_is_changed_is_found() {
        let sound = run();
        assert_eq!(check(&sound), Ok(()));
        let with = |change: &dyn Fn(&mut AuditRun)| {
            let mut run = sound.clone();
            change(&mut run);
            check(&run).unwrap_err()
        };
        let places: BTreeSet<usize> = (0..sound.hashes.len()).collect();
        for place in places {
            let edited = place as u64 / 32 + 1;
            assert_eq!(with(&|run| run.hashes[place] ^= 1), ChainFault::Edited { seq: edited });
        }
        for (place, _) in sound.bodies.char_indices() {
            with(&|run| run.bodies.replace_range(place..=place, "~"));
            with(&|run| drop(run.bodies.remove(place)));
            with(&|run| run.bodies.insert(place, '\n'));
        }
        assert_eq!(with(&|run| run.prev.0[31] ^= 1), ChainFault::Broken { seq: 1 });
        assert_eq!(with(&|run| run.last_seq += 1), ChainFault::Gap { seq: 1 });
        assert_eq!(with(&|run| run.last_seq -= 1), ChainFault::Broken { seq: 0 });
        with(&|run| run.org = OrgId::new());
        with(&|run| run.bodies.push('\n'));
        with(&|run| run.bodies.clear());
        with(&|run| run.hashes.clear());
        with(&|run| run.hashes.push(0));
        with(&|run| drop(run.hashes.pop()));
        with(&|run| run.hashes.rotate_left(32));
    }

    #[test]
    fn lines_that_were_exchanged_with_their_hashes_are_found() {
        let mut run = run();
        let mut lines: Vec<&str> = run.bodies.split('\n').collect();
        lines.swap(1, 2);
        run.bodies = lines.join("\n");
        let (second, third) = run.hashes[32..96].split_at_mut(32);
        second.swap_with_slice(third);
        assert_eq!(check(&run), Err(ChainFault::Edited { seq: 2 }));
    }
}
