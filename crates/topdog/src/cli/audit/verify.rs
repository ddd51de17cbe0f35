use super::page;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::org_arg::OrgArg;
use crate::cli::route::Route;
use crate::cli::session::Session;
use crate::cli::table::Table;
use serde::Serialize;
use topdog_domain::OrgId;
use topdog_domain::audit::{ChainFault, ChainHash, ChainVerifier};
use topdog_platform::api::{AuditEntry, Organisation};

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

/// How one chain was found.
#[derive(Debug, Serialize)]
struct Verdict {
    organisation: String,
    name: String,
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
    for organisation in meant(session, org).await? {
        verdicts.push(verdict(session, organisation, expect).await?);
    }
    session.output.answer(&verdicts, |verdicts| table(verdicts))?;
    let broken: Vec<&str> = verdicts.iter().filter(|v| !v.is_intact).map(|v| v.name.as_str()).collect();
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

/// The organisation that was named or is the key's own; for the operator without a name all of them.
async fn meant(session: &Session, org: &OrgArg) -> Result<Vec<Organisation>, Failure> {
    if org.given().is_none() && session.api.is_operator() {
        return session.api.get_all(Route::new("organisations")).await;
    }
    Ok(vec![session.api.get(Route::of_org(session.org(org.given())?)).await?])
}

async fn verdict(session: &Session, org: Organisation, expect: Option<&Head>) -> Result<Verdict, Failure> {
    let id = org.id.to_string();
    let first = page(session, &id, 0).await?;
    let head = ChainHash::parse(&first.head.hash).map(|hash| Head { seq: first.head.seq, hash }).ok_or_else(
        || Failure::failed("the server's end of the chain is no hash; is it a Top Dog of this version?"),
    )?;
    let mut check = Check::new(org.id, head, expect);
    let (mut entries, mut next) = (first.data, first.next_after);
    let outcome = loop {
        if let Err(fault) = check.entries(&entries) {
            break Err(fault);
        }
        match next.filter(|_| !check.is_at_its_end()) {
            Some(after) => {
                let more = page(session, &id, after).await?;
                (entries, next) = (more.data, more.next_after);
            }
            None => break check.finish(),
        }
    };
    let (checked_entries, hash) = check.verifier.head();
    Ok(Verdict {
        organisation: id,
        name: org.name,
        is_intact: outcome.is_ok(),
        checked_entries,
        head: format!("{checked_entries}:{hash}"),
        fault: outcome.err().map(Fault::of),
    })
}

/// A check of a chain up to the end that it had when the check began: what is added meanwhile is left out, so
/// that the end can be compared to the hash.
struct Check<'a> {
    verifier: ChainVerifier,
    org: OrgId,
    head: Head,
    expect: Option<&'a Head>,
}

impl<'a> Check<'a> {
    const fn new(org: OrgId, head: Head, expect: Option<&'a Head>) -> Self {
        Self { verifier: ChainVerifier::new(org), org, head, expect }
    }

    fn entries(&mut self, entries: &[AuditEntry]) -> Result<(), ChainFault> {
        for entry in entries {
            if self.is_at_its_end() {
                return Ok(());
            }
            let entry = entry.to_chain(self.org).ok_or(ChainFault::Edited { seq: entry.seq })?;
            self.verifier.next(&entry)?;
            let (seq, hash) = self.verifier.head();
            if self.expect.is_some_and(|expect| expect.seq == seq && expect.hash != hash) {
                return Err(ChainFault::Broken { seq });
            }
        }
        Ok(())
    }

    fn is_at_its_end(&self) -> bool {
        self.verifier.head().0 >= self.head.seq
    }

    fn finish(&self) -> Result<(), ChainFault> {
        self.verifier.finish(self.head.seq, self.head.hash)?;
        match self.expect {
            Some(expect) if expect.seq > self.head.seq => Err(ChainFault::Truncated { seq: expect.seq }),
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
        table.row([verdict.name.clone(), result, verdict.checked_entries.to_string(), verdict.head.clone()]);
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

    fn check(
        org: OrgId,
        entries: &[AuditEntry],
        head: Head,
        expect: Option<&Head>,
    ) -> Result<(), ChainFault> {
        let mut check = Check::new(org, head, expect);
        check.entries(entries)?;
        check.finish()
    }

    #[test]
    fn an_intact_chain_passes_also_where_it_grew_meanwhile() {
        let org = OrgId::new();
        let (entries, head) = chain(org, 5);
        assert_eq!(check(org, &entries, head.clone(), None), Ok(()));
        let earlier = Head { seq: 3, hash: ChainHash::parse(&entries[2].hash).expect("a hash") };
        assert_eq!(check(org, &entries, earlier.clone(), None), Ok(()));
        assert_eq!(check(org, &entries, head, Some(&earlier)), Ok(()));
    }

    #[test]
    fn what_was_done_to_a_chain_is_named() {
        let org = OrgId::new();
        let (entries, head) = chain(org, 5);

        let mut edited = entries.clone();
        edited[1].body = edited[1].body.replace("test.entry", "test.other");
        assert_eq!(check(org, &edited, head.clone(), None), Err(ChainFault::Edited { seq: 2 }));

        let mut gap = entries.clone();
        gap.remove(1);
        assert_eq!(check(org, &gap, head.clone(), None), Err(ChainFault::Gap { seq: 2 }));

        assert_eq!(check(org, &entries[..3], head.clone(), None), Err(ChainFault::Truncated { seq: 5 }));

        let mut no_hash = entries;
        no_hash[3].hash = "zz".into();
        assert_eq!(check(org, &no_hash, head, None), Err(ChainFault::Edited { seq: 4 }));
    }

    #[test]
    fn a_chain_rewritten_as_a_whole_does_not_hold_the_kept_end() {
        let org = OrgId::new();
        let (_, kept) = chain(org, 3);
        let (rewritten, head) = chain(org, 5);
        assert_eq!(check(org, &rewritten, head, Some(&kept)), Err(ChainFault::Broken { seq: 3 }));
        let (cut, head) = chain(org, 2);
        assert_eq!(check(org, &cut, head, Some(&kept)), Err(ChainFault::Truncated { seq: 3 }));
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
