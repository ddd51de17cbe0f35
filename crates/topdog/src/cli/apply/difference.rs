use super::entry::{Entry, FieldChange, Kind, Verdict};
use crate::cli::table::printable;
use serde::Serialize;
use std::fmt;

/// What differs between the file and what is there, for people and for programs.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    entries: Vec<Shown>,
}

#[derive(Debug, Serialize)]
struct Shown {
    organisation: String,
    kind: Kind,
    name: String,
    verdict: Word,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<FieldChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Create,
    Change,
    Keep,
    Prune,
    Unlisted,
    Blocked,
}

impl Difference {
    /// The difference that these entries are.
    pub(super) fn of(entries: &[Entry]) -> Self {
        Self { entries: entries.iter().map(Shown::of).collect() }
    }

    /// Is there anything that can't be done?
    pub(super) fn is_blocked(&self) -> bool {
        self.count(Word::Blocked) > 0
    }

    fn count(&self, word: Word) -> usize {
        self.entries.iter().filter(|entry| entry.verdict == word).count()
    }
}

impl Shown {
    fn of(entry: &Entry) -> Self {
        let (verdict, changes, remark) = match &entry.verdict {
            Verdict::Create(_) => (Word::Create, Vec::new(), None),
            Verdict::Change(changes, _) => (Word::Change, changes.clone(), None),
            Verdict::Keep(remark) => (Word::Keep, Vec::new(), remark.clone()),
            Verdict::Prune(_) => (Word::Prune, Vec::new(), None),
            Verdict::Unlisted => (Word::Unlisted, Vec::new(), Some(stays(entry.kind).to_owned())),
            Verdict::Blocked(why) => (Word::Blocked, Vec::new(), Some(why.clone())),
        };
        Self {
            organisation: entry.organisation.clone(),
            kind: entry.kind,
            name: entry.name.clone(),
            verdict,
            changes,
            remark,
        }
    }

    /// What is as it should be and needs no word is not shown to people.
    fn is_worth_a_line(&self) -> bool {
        self.verdict != Word::Keep || self.remark.is_some()
    }
}

const fn stays(kind: Kind) -> &'static str {
    match kind {
        Kind::Organisation => "not in the file, stays; `topdog orgs delete` deletes it",
        Kind::Endpoint | Kind::ProviderKey | Kind::ApiKey | Kind::Policy => {
            "not in the file, stays; --prune removes it"
        }
    }
}

/// A line for each entry that is not simply as it should be, and what it comes to.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in self.entries.iter().filter(|entry| entry.is_worth_a_line()) {
            writeln!(f, "{entry}")?;
        }
        let [create, change, prune, blocked] =
            [Word::Create, Word::Change, Word::Prune, Word::Blocked].map(|word| self.count(word));
        match create + change + prune + blocked {
            0 => writeln!(f, "nothing to change"),
            _ => writeln!(
                f,
                "{create} to make, {change} to change, {prune} to remove, {blocked} in the way, {} as they should be",
                self.count(Word::Keep)
            ),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.verdict {
            Word::Create => "+ ",
            Word::Change => "~ ",
            Word::Keep => "= ",
            Word::Prune => "- ",
            Word::Unlisted => "? ",
            Word::Blocked => "! ",
        })?;
        if self.kind != Kind::Organisation {
            write!(f, "{}: ", printable(&self.organisation))?;
        }
        write!(f, "{} {}", self.kind.name(), printable(&self.name))?;
        let changes = self.changes.iter().map(ToString::to_string);
        let said: Vec<String> = changes.chain(self.remark.clone()).map(|text| printable(&text)).collect();
        if said.is_empty() { Ok(()) } else { write!(f, ": {}", said.join(", ")) }
    }
}
