use super::page;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::org_arg::OrgArg;
use crate::cli::route::Route;
use crate::cli::session::Session;
use crate::cli::table::Table;
use serde::Serialize;
use std::collections::BTreeMap;
use topdog_domain::OrgId;
use topdog_domain::audit::{ChainFault, ChainHash, ChainVerifier};
use topdog_platform::api::{AuditChain, AuditEntry, Organisation};

/// A place of a chain and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    seq: u64,
    hash: ChainHash,
}

/// Reads a head as `verify` prints it.
pub(super) fn head(text: &str) -> Result<Head, String> {
    let parts = text
        .split_once(':')
        .and_then(|(seq, hash)| Some(Head { seq: seq.parse().ok()?, hash: ChainHash::parse(hash)? }));
    parts.ok_or_else(|| {
        "write it as verify prints it: the place, a colon and 64 hexadecimal digits".to_owned()
    })
}

/// A chain to be checked.
struct Chain {
    org: OrgId,
    /// None where there is no such organisation, or none any more.
    name: Option<String>,
    /// Must there be entries? An organisation has that of its making, and what is listed has some.
    has_entries: bool,
}

impl Chain {
    /// How it is called where there is no organisation by whose name it could be.
    fn label(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None if self.org == OrgId::INSTALLATION => "(installation)".to_owned(),
            None => format!("{} (no organisation)", self.org),
        }
    }
}

/// How one chain was found.
#[derive(Debug, Serialize)]
struct Verdict {
    organisation: String,
    name: Option<String>,
    #[serde(skip)]
    label: String,
    is_intact: bool,
    checked_entries: u64,
    head: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
}

#[derive(Debug, Serialize)]
struct Fault {
    seq: u64,
    class: &'static str,
    message: String,
}

pub(super) async fn run(session: &Session, org: &OrgArg, expect: Option<&Head>) -> Result<(), Failure> {
    let mut verdicts = Vec::new();
    for chain in meant(session, org).await? {
        verdicts.push(verdict(session, chain, expect).await?);
    }
    session.output.answer(&verdicts, |verdicts| table(verdicts))?;
    let broken: Vec<&str> = verdicts.iter().filter(|v| !v.is_intact).map(|v| v.label.as_str()).collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::with(
        Exit::VerificationFailed,
        format!(
            "the audit chain is not intact: {}; keep the database and its backups as they are, and compare with an \
             end that was kept elsewhere (--expect)",
            broken.join(", ")
        ),
    ))
}

/// The chain of the organisation that was named, also by the id of one that is no more, or is the key's own. For the
/// operator without a name: of whatever has one, and of every organisation, which must have one.
async fn meant(session: &Session, org: &OrgArg) -> Result<Vec<Chain>, Failure> {
    if org.given().is_none() && session.api.is_operator() {
        let organisations: Vec<Organisation> = session.api.get_all(Route::new("organisations")).await?;
        let chains: Vec<AuditChain> = session.api.get_all(Route::new("audit").then("chains")).await?;
        let mut names: BTreeMap<OrgId, Option<String>> = BTreeMap::from([(OrgId::INSTALLATION, None)]);
        names.extend(chains.into_iter().map(|chain| (chain.org, None)));
        names.extend(organisations.into_iter().map(|known| (known.id, Some(known.name))));
        let has_entries = |org| org != OrgId::INSTALLATION;
        return Ok(names
            .into_iter()
            .map(|(org, name)| Chain { org, name, has_entries: has_entries(org) })
            .collect());
    }
    let given = session.org(org.given())?;
    let found: Result<Organisation, Failure> = session.api.get(Route::of_org(given)).await;
    match (found, given.parse()) {
        (Ok(known), _) => Ok(vec![Chain { org: known.id, name: Some(known.name), has_entries: true }]),
        (Err(failure), Ok(org)) if failure.exit() == Exit::NotFound => {
            Ok(vec![Chain { org, name: None, has_entries: false }])
        }
        (Err(failure), _) => Err(failure),
    }
}

async fn verdict(session: &Session, chain: Chain, expect: Option<&Head>) -> Result<Verdict, Failure> {
    let id = chain.org.to_string();
    let mut check = Check::new(chain.org, expect);
    check.has_entries = chain.has_entries;
    let outcome = loop {
        let stretch = match page(session, &id, check.verifier.head().0).await {
            Err(failure) if chain.has_entries && failure.exit() == Exit::NotFound => {
                break Err(ChainFault::Truncated { seq: 1 });
            }
            answered => answered?,
        };
        let end = ChainHash::parse(&stretch.head.hash)
            .map(|hash| Head { seq: stretch.head.seq, hash })
            .ok_or_else(|| {
                Failure::failed("the server's end of the chain is no hash; is it a Top Dog of this version?")
            })?;
        match check.stretch(end, &stretch.data, stretch.next_after.is_some()) {
            Ok(true) => break check.finish(),
            Ok(false) => {}
            Err(fault) => break Err(fault),
        }
    };
    let (checked_entries, hash) = check.verifier.head();
    Ok(Verdict {
        organisation: id,
        label: chain.label(),
        name: chain.name,
        is_intact: outcome.is_ok(),
        checked_entries,
        head: format!("{checked_entries}:{hash}"),
        fault: outcome.err().map(Fault::of),
    })
}

/// A check of a chain up to its end, which may move meanwhile: an entry and the end that tells of it are kept at once, so
/// an end that was read later than an entry can't lie before it.
struct Check<'a> {
    verifier: ChainVerifier,
    org: OrgId,
    /// Where the chain ended when the check began.
    first_end: Option<Head>,
    expect: Option<&'a Head>,
    has_entries: bool,
}

impl<'a> Check<'a> {
    const fn new(org: OrgId, expect: Option<&'a Head>) -> Self {
        Self { verifier: ChainVerifier::new(org), org, first_end: None, expect, has_entries: false }
    }

    /// Checks the next entries, before which that end of the chain was read; whether it is the end of the check.
    fn stretch(&mut self, end: Head, entries: &[AuditEntry], is_more: bool) -> Result<bool, ChainFault> {
        let first_end = self.first_end.get_or_insert_with(|| end.clone()).clone();
        if self.verifier.head().0 >= end.seq {
            self.verifier.finish(end.seq, end.hash)?;
        }
        for entry in entries {
            let entry = entry.to_chain(self.org).ok_or(ChainFault::Edited { seq: entry.seq })?;
            self.verifier.next(&entry)?;
            let (seq, hash) = self.verifier.head();
            let known = [Some(&first_end), Some(&end), self.expect];
            if known.into_iter().flatten().any(|known| known.seq == seq && known.hash != hash) {
                return Err(ChainFault::Broken { seq });
            }
        }
        let (seq, _) = self.verifier.head();
        if is_more {
            // A chain that grows faster than it is checked is not followed for ever.
            return Ok(first_end.seq <= seq && seq < end.seq);
        }
        if seq < end.seq {
            return Err(ChainFault::Truncated { seq: end.seq });
        }
        // What lies behind the end has come meanwhile, or should not be there: the next end tells.
        Ok(seq == end.seq)
    }

    fn finish(&self) -> Result<(), ChainFault> {
        match self.expect {
            Some(expect) if expect.seq > self.verifier.head().0 => {
                Err(ChainFault::Truncated { seq: expect.seq })
            }
            _ if self.has_entries && self.verifier.head().0 == 0 => Err(ChainFault::Truncated { seq: 1 }),
            _ => Ok(()),
        }
    }
}

impl Fault {
    fn of(fault: ChainFault) -> Self {
        let (seq, class) = match fault {
            ChainFault::Gap { seq } => (seq, "gap"),
            ChainFault::Edited { seq } => (seq, "edited"),
            ChainFault::Broken { seq } => (seq, "broken"),
            ChainFault::Moved { seq } => (seq, "moved"),
            ChainFault::Truncated { seq } => (seq, "truncated"),
            ChainFault::Beyond { seq } => (seq, "beyond"),
        };
        Self { seq, class, message: fault.to_string() }
    }
}

fn table(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new(&["organisation", "result", "entries", "head"]);
    for verdict in verdicts {
        let result = match &verdict.fault {
            None => "intact".to_owned(),
            Some(fault) => format!("{}: {}", fault.class.to_uppercase(), fault.message),
        };
        table.row([verdict.label.clone(), result, verdict.checked_entries.to_string(), verdict.head.clone()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use topdog_domain::Timestamp;
    use topdog_domain::audit::{self, Actor, AuditDraft};

    fn chain(org: OrgId, length: u64) -> (Vec<AuditEntry>, Head) {
        let mut head = Head { seq: 0, hash: ChainHash::GENESIS };
        let entries = (0..length).map(|n| {
            let draft = AuditDraft::new(Timestamp::from_micros(0), org, Actor::System, "test.entry", n);
            let entry = audit::AuditEntry::append(head.seq, head.hash, &draft);
            head = Head { seq: entry.seq, hash: entry.hash };
            AuditEntry::from(entry)
        });
        (entries.collect(), head)
    }

    /// The check of a chain that is given in stretches, each with the end that was read before it.
    fn check(
        org: OrgId,
        stretches: &[(&Head, &[AuditEntry], bool)],
        expect: Option<&Head>,
    ) -> Result<u64, ChainFault> {
        let mut check = Check::new(org, expect);
        for (end, entries, is_more) in stretches {
            if check.stretch((*end).clone(), entries, *is_more)? {
                check.finish()?;
                return Ok(check.verifier.head().0);
            }
        }
        panic!("the check wants more");
    }

    /// The end of a chain whose last entry that is.
    fn end_at(entry: &AuditEntry) -> Head {
        Head { seq: entry.seq, hash: ChainHash::parse(&entry.hash).expect("a hash") }
    }

    const GENESIS: Head = Head { seq: 0, hash: ChainHash::GENESIS };

    #[test]
    fn an_intact_chain_passes_also_where_it_grew_meanwhile() {
        let org = OrgId::new();
        let (entries, head) = chain(org, 5);
        assert_eq!(check(org, &[(&GENESIS, &[], false)], None), Ok(0));
        assert_eq!(check(org, &[(&head, &entries, false)], None), Ok(5));
        let earlier = end_at(&entries[2]);
        assert_eq!(check(org, &[(&earlier, &entries, false), (&head, &[], false)], None), Ok(5));
        assert_eq!(check(org, &[(&head, &entries, false)], Some(&earlier)), Ok(5));
        let (first, rest) = entries.split_at(3);
        assert_eq!(check(org, &[(&head, first, true), (&head, rest, false)], None), Ok(5));
        // It ends where it ended at the beginning, or soon after, however fast it grows.
        assert_eq!(
            check(org, &[(&end_at(&entries[0]), first, true), (&head, &rest[..1], true)], None),
            Ok(4)
        );
    }

    #[test]
    fn what_was_done_to_a_chain_is_named() {
        let org = OrgId::new();
        let (entries, head) = chain(org, 5);
        let check = |entries: &[AuditEntry]| check(org, &[(&head, entries, false)], None);

        let mut edited = entries.clone();
        edited[1].body = edited[1].body.replace("test.entry", "test.other");
        assert_eq!(check(&edited), Err(ChainFault::Edited { seq: 2 }));

        let mut gap = entries.clone();
        gap.remove(1);
        assert_eq!(check(&gap), Err(ChainFault::Gap { seq: 2 }));

        assert_eq!(check(&entries[..3]), Err(ChainFault::Truncated { seq: 5 }));

        let mut no_hash = entries;
        no_hash[3].hash = "zz".into();
        assert_eq!(check(&no_hash), Err(ChainFault::Edited { seq: 4 }));
    }

    #[test]
    fn what_lies_behind_the_end_is_found_however_it_is_cut() {
        let org = OrgId::new();
        let (entries, _) = chain(org, 5);
        let end = end_at(&entries[2]);
        let (before, behind) = entries.split_at(3);
        let none: &[AuditEntry] = &[];
        for stretches in [
            vec![(&end, &entries[..], false), (&end, none, false)],
            vec![(&end, &entries[..4], true), (&end, &entries[4..], false)],
            vec![(&end, before, true), (&end, behind, false), (&end, none, false)],
        ] {
            assert_eq!(check(org, &stretches, None), Err(ChainFault::Beyond { seq: 4 }));
        }
        let stretches = [(&GENESIS, &entries[..], false), (&GENESIS, none, false)];
        assert_eq!(check(org, &stretches, None), Err(ChainFault::Beyond { seq: 1 }));
    }

    #[test]
    fn an_end_that_is_not_the_chains_is_found() {
        let org = OrgId::new();
        let (entries, head) = chain(org, 5);
        let wrong = |seq| Head { seq, hash: ChainHash([7; 32]) };
        for (stretches, seq) in [
            (vec![(&wrong(5), &entries[..], false)], 5),
            (vec![(&wrong(3), &entries[..], false)], 3),
            (vec![(&wrong(0), &[][..], false)], 0),
            (vec![(&wrong(4), &entries[..2], true), (&head, &entries[2..], false)], 4),
            (vec![(&wrong(3), &entries[..3], true)], 3),
        ] {
            assert_eq!(check(org, &stretches, None), Err(ChainFault::Broken { seq }));
        }
    }

    #[test]
    fn a_chain_rewritten_as_a_whole_does_not_hold_the_kept_end() {
        let org = OrgId::new();
        let (_, kept) = chain(org, 3);
        let (rewritten, head) = chain(org, 5);
        let stretches = [(&head, &rewritten[..], false)];
        assert_eq!(check(org, &stretches, Some(&kept)), Err(ChainFault::Broken { seq: 3 }));
        let (cut, head) = chain(org, 2);
        assert_eq!(check(org, &[(&head, &cut, false)], Some(&kept)), Err(ChainFault::Truncated { seq: 3 }));
    }

    #[test]
    fn a_chain_that_must_have_entries_is_not_intact_without() {
        let mut check = Check::new(OrgId::new(), None);
        check.has_entries = true;
        assert_eq!(check.stretch(GENESIS, &[], false), Ok(true));
        assert_eq!(check.finish(), Err(ChainFault::Truncated { seq: 1 }));
    }

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let (_, kept) = chain(OrgId::new(), 3);
        assert_eq!(head(&format!("{}:{}", kept.seq, kept.hash)), Ok(kept));
        for bad in ["", "3", "x:00", "3:00"] {
            assert!(head(bad).is_err(), "{bad}");
        }
    }
}
