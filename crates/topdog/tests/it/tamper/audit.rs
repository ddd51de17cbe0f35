//! Audit chains of which rows were changed, added, moved or removed: `topdog audit verify` finds each.

use crate::engines::{Database, on_both_engines};
use crate::server::{Place, Server, Setup};
use serde_json::{Value, json};
use topdog_domain::audit::{Actor, Appended, AuditDraft, AuditRun, ChainHash};
use topdog_domain::{OrgId, Timestamp};

/// How long the runs of the chain are: the second one ends where a page of the API does.
const LENGTHS: [usize; 3] = [150, 50, 6];
const PAGE: i64 = 200;
const LAST: i64 = 206;

/// An organisation's chain as rows.
#[derive(Clone)]
struct Rows {
    runs: Vec<Run>,
    /// None, where the row is missing.
    end: Option<(i64, ChainHash)>,
}

#[derive(Clone)]
struct Run {
    last_seq: i64,
    bodies: String,
    prev: ChainHash,
    hashes: Vec<u8>,
}

impl Rows {
    fn sound(org: OrgId) -> Self {
        let mut rows = Self { runs: Vec::new(), end: Some((0, ChainHash::GENESIS)) };
        for length in LENGTHS {
            rows.append(org, length);
            rows.end = Some(rows.runs.last().unwrap().end());
        }
        rows
    }

    /// Adds a run that continues the chain, without telling its end.
    fn append(&mut self, org: OrgId, length: usize) {
        let (seq, hash) = self.runs.last().map_or((0, ChainHash::GENESIS), Run::end);
        let draft = |n| AuditDraft::new(Timestamp::from_micros(1), org, Actor::System, "test.entry", n);
        let drafts: Vec<AuditDraft> = (0..length).map(draft).collect();
        let run = AuditRun::behind(
            (seq.unsigned_abs(), hash),
            org,
            &drafts.iter().map(Appended::Draft).collect::<Vec<_>>(),
        );
        self.runs.push(Run {
            last_seq: run.last_seq.cast_signed(),
            bodies: run.bodies,
            prev: run.prev,
            hashes: run.hashes,
        });
    }
}

impl Run {
    fn end(&self) -> (i64, ChainHash) {
        (self.last_seq, self.hash(self.hashes.len() / 32 - 1))
    }

    fn hash(&self, line: usize) -> ChainHash {
        ChainHash(self.hashes[line * 32..][..32].try_into().unwrap())
    }

    /// A run of that many lines that say anything.
    fn forged(last_seq: i64, lines: usize) -> Self {
        let bodies = vec![FORGED; lines].join("\n");
        Self { last_seq, bodies, prev: ChainHash::GENESIS, hashes: vec![0; 32 * lines] }
    }

    /// Puts forged lines before the first, such that no honest one is read otherwise or loses the hash before it.
    fn prepend(&mut self, lines: usize) {
        let mut forged = Self::forged(0, lines);
        forged.hashes.splice(32 * (lines - 1).., self.prev.0);
        self.bodies.insert_str(0, &(forged.bodies + "\n"));
        self.hashes.splice(0..0, forged.hashes);
    }

    /// The run from that line on, as a run of its own.
    fn rest_from(&self, line: usize, org: OrgId) -> Self {
        let run = AuditRun {
            org,
            last_seq: self.last_seq.unsigned_abs(),
            bodies: self.bodies.clone(),
            prev: self.prev,
            hashes: self.hashes.clone(),
        };
        let first = run.entries()[line].body.clone();
        let rest: Vec<&str> = self.bodies.split('\n').skip(line + 1).collect();
        Self {
            last_seq: self.last_seq,
            bodies: [vec![first.as_str()], rest].concat().join("\n"),
            prev: self.hash(line - 1),
            hashes: self.hashes[line * 32..].to_vec(),
        }
    }
}

/// Differs from what stands in its place in the one field that it has.
const FORGED: &str = r#"{"action":"forged"}"#;

type Change = Box<dyn Fn(&mut Rows)>;

/// Everything that can be done to the rows, and how it is called: class and place.
fn cases(org: OrgId) -> Vec<(&'static str, Change, &'static str, i64)> {
    let foreign = Rows::sound(OrgId::new());
    let foreign_run = foreign.runs[2].clone();
    vec![
        // What is added to a run.
        ("a line before the first", Box::new(|rows| rows.runs[0].prepend(1)), "broken", 0),
        ("lines before the first", Box::new(|rows| rows.runs[0].prepend(9)), "broken", 0),
        ("a line before a run's first", Box::new(|rows| rows.runs[1].prepend(1)), "broken", 150),
        ("a line where a page begins", Box::new(|rows| rows.runs[2].prepend(1)), "broken", PAGE),
        ("lines where a page begins", Box::new(|rows| rows.runs[2].prepend(6)), "broken", PAGE - 5),
        ("more lines than places", Box::new(|rows| rows.runs[2].prepend(300)), "broken", 0),
        ("a line without a hash", Box::new(|rows| rows.runs[2].bodies.push_str("\n{}")), "broken", PAGE),
        ("an empty line", Box::new(|rows| rows.runs[2].bodies.push('\n')), "broken", PAGE),
        ("an empty first line", Box::new(|rows| rows.runs[0].bodies.insert(0, '\n')), "broken", 0),
        ("a hash without a line", Box::new(|rows| rows.runs[2].hashes.extend([0; 32])), "broken", PAGE),
        ("a part of a hash", Box::new(|rows| rows.runs[2].hashes.extend([0; 7])), "broken", PAGE),
        // What is taken from it, changed and moved in it.
        (
            "the last line",
            Box::new(|rows| {
                let run = &mut rows.runs[1];
                run.bodies.truncate(run.bodies.rfind('\n').unwrap());
                run.hashes.truncate(run.hashes.len() - 32);
            }),
            "gap",
            151,
        ),
        ("a part of a hash is missing", Box::new(|rows| rows.runs[2].hashes.truncate(191)), "edited", LAST),
        ("no line", Box::new(|rows| rows.runs[2].bodies.clear()), "edited", PAGE + 1),
        ("no hash", Box::new(|rows| rows.runs[2].hashes.clear()), "edited", PAGE + 1),
        (
            "a value",
            Box::new(|rows| rows.runs[1].bodies = rows.runs[1].bodies.replace("test.entry", "test.entrx")),
            "edited",
            151,
        ),
        ("the hash before", Box::new(|rows| rows.runs[2].prev.0[31] ^= 1), "broken", PAGE + 1),
        (
            "two lines exchanged with their hashes",
            Box::new(|rows| {
                let run = &mut rows.runs[2];
                let mut lines: Vec<&str> = run.bodies.split('\n').collect();
                lines.swap(2, 3);
                run.bodies = lines.join("\n");
                let (third, fourth) = run.hashes[64..128].split_at_mut(32);
                third.swap_with_slice(fourth);
            }),
            "edited",
            PAGE + 3,
        ),
        // Its place.
        ("a later place", Box::new(|rows| rows.runs[2].last_seq += 1), "gap", PAGE + 1),
        ("an earlier place", Box::new(|rows| rows.runs[2].last_seq -= 1), "broken", PAGE),
        ("an earlier place of the first", Box::new(|rows| rows.runs[0].last_seq -= 1), "broken", 0),
        ("no place", Box::new(|rows| rows.runs[0].last_seq = -150), "broken", 0),
        (
            "two runs exchanged",
            Box::new(|rows| {
                (rows.runs[1].last_seq, rows.runs[2].last_seq) =
                    (rows.runs[2].last_seq, rows.runs[1].last_seq);
            }),
            "gap",
            151,
        ),
        // Runs that are added and removed.
        ("a run at 0", Box::new(|rows| rows.runs.push(Run::forged(0, 1))), "broken", 0),
        ("a run below 0", Box::new(|rows| rows.runs.push(Run::forged(-7, 3))), "broken", 0),
        ("an empty run at 0", Box::new(|rows| rows.runs.push(Run::forged(0, 0))), "broken", 0),
        ("a run within another", Box::new(|rows| rows.runs.push(Run::forged(180, 5))), "gap", 151),
        ("an empty run within another", Box::new(|rows| rows.runs.push(Run::forged(180, 0))), "gap", 151),
        (
            "a run said again behind a page",
            Box::new(move |rows| {
                let mut again = rows.runs[1].rest_from(45, org);
                let next = rows.runs[2].clone();
                again.bodies = format!("{}\n{}", again.bodies, next.bodies.lines().next().unwrap());
                again.hashes.extend(next.hash(0).0);
                again.last_seq = PAGE + 1;
                rows.runs[2] = next.rest_from(1, org);
                rows.runs.push(again);
            }),
            "broken",
            PAGE - 4,
        ),
        ("the first run", Box::new(|rows| drop(rows.runs.remove(0))), "gap", 1),
        ("a run", Box::new(|rows| drop(rows.runs.remove(1))), "gap", 151),
        ("the last run", Box::new(|rows| drop(rows.runs.pop())), "truncated", LAST),
        ("all runs", Box::new(|rows| rows.runs.clear()), "truncated", LAST),
        // Of another organisation.
        ("another's run", Box::new(move |rows| rows.runs[2] = foreign_run.clone()), "broken", PAGE + 1),
        ("another's chain", Box::new(move |rows| *rows = foreign.clone()), "moved", 1),
        // The end that is kept beside the chain.
        ("no end", Box::new(|rows| rows.end = None), "beyond", 1),
        ("an end at 0", Box::new(|rows| rows.end = Some((0, ChainHash::GENESIS))), "beyond", 1),
        ("an end set back", Box::new(|rows| rows.end = Some(rows.runs[0].end())), "beyond", 151),
        (
            "an end set back to a page",
            Box::new(|rows| rows.end = Some(rows.runs[1].end())),
            "beyond",
            PAGE + 1,
        ),
        ("an end ahead", Box::new(|rows| rows.end.as_mut().unwrap().0 += 1), "truncated", LAST + 1),
        ("another hash", Box::new(|rows| rows.end.as_mut().unwrap().1.0[0] ^= 1), "broken", LAST),
        ("a sound run behind the end", Box::new(move |rows| rows.append(org, 3)), "beyond", LAST + 1),
        (
            "a forged run behind the end",
            Box::new(|rows| {
                let prev = rows.runs[2].end().1;
                rows.runs.push(Run { prev, ..Run::forged(LAST + 2, 2) });
            }),
            "edited",
            LAST + 1,
        ),
        ("a run far behind the end", Box::new(|rows| rows.runs.push(Run::forged(900, 2))), "gap", LAST + 1),
        (
            "a run behind an end set back to a page",
            Box::new(move |rows| {
                drop(rows.runs.pop());
                rows.end = Some(rows.runs[1].end());
                rows.append(org, 250);
            }),
            "beyond",
            PAGE + 1,
        ),
    ]
}

on_both_engines! {
    async fn nothing_that_is_done_to_a_chain_goes_unseen(database: &Database) {
        let place = Place::new();
        let server = place.start(&database.keep(Setup::new())).await;
        let made = server.operator("POST", "/organisations", &json!({ "name": "acme", "tier": "PRO" })).await;
        let org: OrgId = made.json()["organisation"]["id"].as_str().unwrap().parse().unwrap();
        let sound = Rows::sound(org);
        put(database, &place, org, &sound).await;
        let (code, verdict) = verify(&server);
        assert_eq!((code, &verdict["is_intact"], &verdict["checked_entries"]), (0, &json!(true), &json!(LAST)));
        for (what, change, class, seq) in cases(org) {
            let mut rows = sound.clone();
            change(&mut rows);
            put(database, &place, org, &rows).await;
            let (code, verdict) = verify(&server);
            assert_eq!((code, &verdict["is_intact"]), (7, &json!(false)), "{what}: {verdict}");
            let fault = &verdict["fault"];
            assert_eq!((&fault["class"], &fault["seq"]), (&json!(class), &json!(seq)), "{what}: {verdict}");
            let listed = server.cli(&["audit", "list", "--org", "acme", "--limit", "2000"]);
            assert!(listed.status.success(), "{what}: {}", String::from_utf8_lossy(&listed.stderr));
        }
        put(database, &place, org, &sound).await;
        assert_eq!(verify(&server).0, 0);
    }

    async fn no_chain_is_passed_over_whose_organisation_is_not_there(database: &Database) {
        let place = Place::new();
        let server = place.start(&database.keep(Setup::new())).await;
        let made = server.operator("POST", "/organisations", &json!({ "name": "acme", "tier": "PRO" })).await;
        let org: OrgId = made.json()["organisation"]["id"].as_str().unwrap().parse().unwrap();
        server.tier_with_llm_requests("TRIAL", 5).await;
        let all = || {
            let output = server.cli(&["audit", "verify", "--output", "json"]);
            let said: Value = serde_json::from_slice(&output.stdout).unwrap();
            let broken = said.as_array().unwrap().iter().filter(|chain| chain["is_intact"] == false);
            let broken: Vec<String> = broken.map(|chain| chain["organisation"].as_str().unwrap().to_owned()).collect();
            (output.status.code().unwrap(), broken, said.as_array().unwrap().len())
        };
        assert_eq!(all(), (0, vec![], 2), "acme's, and the installation's, in which the tier is");
        // Whoever changes a chain, and then has its organisation look destroyed.
        let mut edited = Rows::sound(org);
        edited.runs[1].bodies = edited.runs[1].bodies.replace("test.entry", "test.entrx");
        put(database, &place, org, &edited).await;
        execute(database, &place, "UPDATE organisations SET destroyed_at = 1").await;
        assert_eq!(all(), (7, vec![org.to_string()], 2));
        let by_id = server.cli(&["audit", "verify", "--org", &org.to_string()]);
        assert_eq!(by_id.status.code(), Some(7), "{}", String::from_utf8_lossy(&by_id.stderr));
        put(database, &place, org, &Rows::sound(org)).await;
        assert_eq!(all().0, 0);
        // The chain in which changed tiers and rotated root keys are.
        let mut edited = Rows::sound(OrgId::INSTALLATION);
        edited.runs.remove(1);
        put(database, &place, OrgId::INSTALLATION, &edited).await;
        assert_eq!(all(), (7, vec![OrgId::INSTALLATION.to_string()], 2));
        put(database, &place, OrgId::INSTALLATION, &Rows::sound(OrgId::INSTALLATION)).await;
        // An organisation that is there has at least the entry of its making.
        execute(database, &place, "UPDATE organisations SET destroyed_at = NULL").await;
        put(database, &place, org, &Rows { runs: Vec::new(), end: None }).await;
        assert_eq!(all(), (7, vec![org.to_string()], 2));
        let listed = server.cli(&["audit", "chains"]);
        assert!(String::from_utf8_lossy(&listed.stdout).contains("(installation)"), "{listed:?}");
    }
}

/// The exit code of `audit verify`, and what it found.
fn verify(server: &Server<'_>) -> (i32, Value) {
    let output = server.cli(&["audit", "verify", "--org", "acme", "--output", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no verdict: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), said[0].clone())
}

async fn execute(database: &Database, place: &Place, statement: &'static str) {
    match database.postgres_connection().await {
        Some(mut connection) => {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        None => {
            sqlx::query(statement).execute(&mut super::sqlite_connection(place).await).await.unwrap();
        }
    }
}

/// Makes these rows the organisation's chain, as someone does who can write into the database.
async fn put(database: &Database, place: &Place, org: OrgId, rows: &Rows) {
    macro_rules! put {
        ($connection:expr) => {{
            let mut connection = $connection;
            let org = org.uuid().as_bytes().to_vec();
            for statement in
                ["DELETE FROM audit_runs WHERE org = $1", "DELETE FROM audit_heads WHERE org = $1"]
            {
                sqlx::query(statement).bind(&org).execute(&mut connection).await.unwrap();
            }
            const RUN: &str =
                "INSERT INTO audit_runs (org, last_seq, bodies, prev, hashes) VALUES ($1, $2, $3, $4, $5)";
            for run in &rows.runs {
                let query = sqlx::query(RUN).bind(&org).bind(run.last_seq).bind(&run.bodies);
                query.bind(run.prev.0.to_vec()).bind(&run.hashes).execute(&mut connection).await.unwrap();
            }
            const END: &str = "INSERT INTO audit_heads (org, seq, hash) VALUES ($1, $2, $3)";
            if let Some((seq, hash)) = rows.end {
                let query = sqlx::query(END).bind(&org).bind(seq).bind(hash.0.to_vec());
                query.execute(&mut connection).await.unwrap();
            }
            sqlx::Connection::close(connection).await.unwrap();
        }};
    }
    match database.postgres_connection().await {
        Some(connection) => put!(connection),
        None => put!(super::sqlite_connection(place).await),
    }
}
