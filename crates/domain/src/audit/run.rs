//! Entries that were appended together, as they are kept: what they share is said once.

use super::body::{Body, BodyReader};
use super::{Appended, AuditEntry, ChainHash, link};
use crate::{OrgId, RecordId};
use serde::Deserialize;
use std::iter::{repeat, successors};

/// Consecutive entries of one chain. A hash is kept once, as its entry's own and not again as the next one's
/// previous, a place not at all but for the last, and a line that could be written otherwise is none: so nothing can be
/// said in two ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRun {
    /// Whose chain.
    pub org: OrgId,
    /// The last entry's place.
    pub last_seq: u64,
    /// The bodies, a line of JSON each: the first one whole, of the others the fields that differ from the line before.
    pub bodies: String,
    /// The hash of the entry before the first.
    pub prev: ChainHash,
    /// The hashes, 32 bytes each.
    pub hashes: Vec<u8>,
}

/// About as long as a line is.
const LINE_BYTES: usize = 256;

impl AuditRun {
    /// Entries in one run at the most: whoever wants one reads all of its run.
    pub const MOST: usize = 256;

    /// Puts entries behind the entry with that place and hash (0 and [`ChainHash::GENESIS`] for a new chain).
    #[must_use]
    pub fn behind((mut seq, prev): (u64, ChainHash), org: OrgId, entries: &[Appended<'_>]) -> Self {
        let mut bodies = String::with_capacity(LINE_BYTES * entries.len());
        let mut hashes = Vec::with_capacity(32 * entries.len());
        let (mut body, mut before, mut hash) = (Body::default(), Body::default(), prev);
        for entry in entries {
            seq = seq.saturating_add(1);
            body.write(seq, *entry);
            hash = link(hash, body.as_str());
            hashes.extend(hash.0);
            if bodies.is_empty() {
                bodies.push_str(body.as_str());
            } else {
                // Never within a line: JSON that is written compactly has no line's end in it.
                bodies.push('\n');
                body.put_beside(&before, &mut bodies);
            }
            std::mem::swap(&mut body, &mut before);
        }
        Self { org, last_seq: seq, bodies, prev, hashes }
    }

    /// The last entry's place and hash.
    #[must_use]
    pub fn head(&self) -> (u64, ChainHash) {
        (self.last_seq, self.hashes.last_chunk().map_or(self.prev, |hash| ChainHash(*hash)))
    }

    /// The entries. Where someone has been at the run, so that not each body has its hash, those without the other
    /// are entries too: checking the chain finds them.
    #[must_use]
    pub fn entries(&self) -> Vec<AuditEntry> {
        let mut reader = BodyReader::default();
        let bodies: Vec<String> = self.bodies.split('\n').map(|line| reader.next(line)).collect();
        let hashes: Vec<ChainHash> = self.hashes.chunks(32).map(whole_hash).collect();
        let len = bodies.len().max(hashes.len());
        let first_seq = self.last_seq.saturating_add(1).saturating_sub(len as u64);
        let seqs = successors(Some(first_seq), |seq| seq.checked_add(1));
        let bodies = bodies.into_iter().chain(repeat(String::new()));
        let hashes = hashes.into_iter().chain(repeat(ChainHash::GENESIS));
        let mut last = self.prev;
        let entry = |((seq, body), hash): ((u64, String), ChainHash)| {
            let prev = std::mem::replace(&mut last, hash);
            AuditEntry { seq, id: id_of(&body), org: self.org, body, prev, hash }
        };
        seqs.zip(bodies).zip(hashes).take(len).map(entry).collect()
    }

    /// What is listed of the run from behind the place `after`, where the run before it ends at `floor`: the entries
    /// behind `after`, and those that reach back over the run before. A sound run has none of these; in any other,
    /// checking the chain must see them, or they could say anything.
    #[must_use]
    pub fn entries_behind(&self, after: u64, floor: u64) -> Vec<AuditEntry> {
        let mut entries = self.entries();
        entries.retain(|entry| entry.seq > after || entry.seq <= floor);
        entries
    }
}

/// The hash; no entry's, where bytes of it are missing.
fn whole_hash(bytes: &[u8]) -> ChainHash {
    bytes.try_into().map_or(ChainHash::GENESIS, ChainHash)
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
    use crate::audit::tests::draft;
    use crate::audit::{Actor, AuditDraft, ChainFault, ChainVerifier};
    use proptest::prelude::*;

    /// Drafts of one organisation, of which neighbours may have fields in common.
    fn drafts() -> impl Strategy<Value = Vec<AuditDraft>> {
        let pair = (draft(), draft(), any::<[bool; 8]>());
        proptest::collection::vec(pair, 1..6).prop_map(|pairs| {
            let mut drafts: Vec<AuditDraft> = Vec::new();
            for (mut new, first, is_same) in pairs {
                let before = drafts.last().unwrap_or(&first).clone();
                let [action, actor, at, detail, ip, outcome, request, target] = is_same;
                new.org = before.org;
                if action {
                    new.action = before.action;
                }
                if actor {
                    new.actor = before.actor;
                }
                if at {
                    new.at = before.at;
                }
                if detail {
                    new.detail = before.detail;
                }
                if ip {
                    new.ip = before.ip;
                }
                if outcome {
                    new.outcome = before.outcome;
                }
                if request {
                    new.request = before.request;
                }
                if target {
                    new.target = before.target;
                }
                drafts.push(new);
            }
            drafts
        })
    }

    fn run_of(drafts: &[AuditDraft]) -> AuditRun {
        AuditRun::behind(
            (0, ChainHash::GENESIS),
            drafts[0].org,
            &drafts.iter().map(Appended::Draft).collect::<Vec<_>>(),
        )
    }

    fn check(run: &AuditRun) -> Result<(), ChainFault> {
        let mut verifier = ChainVerifier::new(run.org);
        run.entries().iter().try_for_each(|entry| verifier.next(entry))
    }

    proptest! {
        #[test]
        fn a_run_gives_the_entries_that_appending_one_by_one_gives(drafts in drafts()) {
            let mut entries: Vec<AuditEntry> = Vec::new();
            for draft in &drafts {
                let (seq, hash) = entries.last().map_or((0, ChainHash::GENESIS), |last| (last.seq, last.hash));
                entries.push(AuditEntry::append(seq, hash, draft));
            }
            let run = run_of(&drafts);
            prop_assert_eq!(run.entries(), entries);
            prop_assert_eq!(run.last_seq, drafts.len() as u64);
            prop_assert_eq!(check(&run), Ok(()));
        }
    }

    fn run_of_four() -> AuditRun {
        let org = OrgId::new();
        let draft = |action| AuditDraft::new(Timestamp::from_micros(1), org, Actor::System, action, "\n");
        run_of(&["a", "two\nlines", "c", "c"].map(draft))
    }

    #[test]
    fn what_the_line_before_says_is_not_said_again() {
        let run = run_of_four();
        let lines: Vec<&str> = run.bodies.lines().collect();
        assert_eq!(lines.len(), 4);
        let entries = run.entries();
        assert_eq!(lines[0], entries[0].body);
        assert_eq!(lines[3], format!("{{\"id\":\"{}\",\"seq\":4}}", entries[3].id));
    }

    #[test]
    fn whatever_is_changed_is_found() {
        let sound = run_of_four();
        assert_eq!(check(&sound), Ok(()));
        let with = |change: &dyn Fn(&mut AuditRun)| {
            let mut run = sound.clone();
            change(&mut run);
            check(&run).unwrap_err()
        };
        for place in 0..sound.hashes.len() {
            let seq = place as u64 / 32 + 1;
            assert_eq!(with(&|run| run.hashes[place] ^= 1), ChainFault::Edited { seq });
        }
        for (place, _) in sound.bodies.char_indices() {
            with(&|run| run.bodies.replace_range(place..=place, "~"));
            with(&|run| run.bodies.replace_range(place..=place, ""));
        }
        assert_eq!(with(&|run| run.prev.0[31] ^= 1), ChainFault::Broken { seq: 1 });
        assert_eq!(with(&|run| run.last_seq += 1), ChainFault::Gap { seq: 1 });
        assert_eq!(with(&|run| run.last_seq -= 1), ChainFault::Broken { seq: 0 });
        with(&|run| run.org = OrgId::new());
        with(&|run| run.bodies.push('\n'));
        with(&|run| run.bodies.clear());
        with(&|run| run.hashes.clear());
        with(&|run| run.hashes.push(0));
        with(&|run| run.hashes.truncate(127));
        with(&|run| run.hashes.rotate_left(32));
    }

    /// Inserted text that changes no field's value must be found too: whoever reads the table reads it.
    #[test]
    fn whatever_is_inserted_is_found() {
        let sound = run_of_four();
        let check_with = |place: usize, inserted: &str| {
            let mut run = sound.clone();
            run.bodies.insert_str(place, inserted);
            assert!(check(&run).is_err(), "{inserted:?} at {place} of {}", sound.bodies);
        };
        for place in 0..=sound.bodies.len() {
            for inserted in
                [" ", "\t", "\r", "\n", "{}", "\0", "\u{feff}", "\"action\":\"forged\",", ",\"x\":1"]
            {
                check_with(place, inserted);
            }
        }
        let line_starts: Vec<usize> = sound.bodies.match_indices('\n').map(|(end, _)| end + 1).collect();
        let entries = sound.entries();
        for (start, entry) in line_starts.into_iter().zip(&entries[1..]) {
            let fields: std::collections::BTreeMap<&str, &serde_json::value::RawValue> =
                serde_json::from_str(&entry.body).unwrap();
            for (name, value) in fields {
                check_with(start + 1, &format!("\"{name}\":{value},"));
                check_with(start + 1, &format!(" \"{name}\":\"forged\","));
            }
        }
    }

    #[test]
    fn a_line_that_says_more_than_what_differs_is_found() {
        let sound = run_of_four();
        let wholes: Vec<String> = sound.entries().into_iter().map(|entry| entry.body).collect();
        for line in 1..wholes.len() {
            let mut lines: Vec<&str> = sound.bodies.split('\n').collect();
            lines[line] = &wholes[line];
            let run = AuditRun { bodies: lines.join("\n"), ..sound.clone() };
            assert_eq!(check(&run), Err(ChainFault::Edited { seq: line as u64 + 1 }));
        }
    }

    #[test]
    fn a_hash_of_which_only_noughts_are_missing_is_found() {
        let org = OrgId::new();
        let ends_in_nought = |action: u32| {
            let action = action.to_string();
            let at = Timestamp::from_micros(1);
            run_of(&[AuditDraft::new(at, org, Actor::System, &action, "")])
        };
        let mut run = (0..).map(ends_in_nought).find(|run| run.hashes.ends_with(&[0])).unwrap();
        run.hashes.pop();
        assert_eq!(check(&run), Err(ChainFault::Edited { seq: 1 }));
    }

    #[test]
    fn what_reaches_back_over_the_run_before_is_listed_with_what_is_behind_a_place() {
        let org = OrgId::new();
        let drafts = ["a", "b", "c"]
            .map(|action| AuditDraft::new(Timestamp::from_micros(1), org, Actor::System, action, ""));
        let sound = AuditRun::behind(
            (5, ChainHash::GENESIS),
            org,
            &drafts.iter().map(Appended::Draft).collect::<Vec<_>>(),
        );
        let places = |run: &AuditRun, after, floor| -> Vec<u64> {
            run.entries_behind(after, floor).iter().map(|entry| entry.seq).collect()
        };
        assert_eq!(places(&sound, 5, 5), [6, 7, 8]);
        assert_eq!(places(&sound, 7, 5), [8]);
        assert_eq!(places(&sound, 8, 5), [0_u64; 0]);
        let mut forged = sound;
        forged.bodies.insert_str(0, "{}\n{}\n");
        assert_eq!(places(&forged, 5, 5), [4, 5, 6, 7, 8]);
        assert_eq!(places(&forged, 7, 5), [4, 5, 8]);
        forged.last_seq = 2;
        assert_eq!(places(&forged, 0, 0), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn lines_that_were_exchanged_with_their_hashes_are_found() {
        let mut run = run_of_four();
        let mut lines: Vec<&str> = run.bodies.split('\n').collect();
        lines.swap(1, 2);
        run.bodies = lines.join("\n");
        let (second, third) = run.hashes[32..96].split_at_mut(32);
        second.swap_with_slice(third);
        assert_eq!(check(&run), Err(ChainFault::Edited { seq: 2 }));
    }
}
