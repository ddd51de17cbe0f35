//! Golden files: `fixtures/<dialect>/{requests,answers,streams,errors}/<case>`, and beside each what it is
//! in every other dialect: `<case>.<dialect>`, with what was lost. `TOPDOG_WRITE_FIXTURES=1` writes what is
//! expected anew.

use crate::frames::to_wire;
use crate::given::{CONTEXT, stream, target};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use topdog_wire::translate::{self, Dialect, Loss, Mode};

#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
pub(crate) fn is_writing() -> bool {
    std::env::var_os("TOPDOG_WRITE_FIXTURES").is_some()
}

pub(crate) fn cases(dialect: Dialect, kind: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dialect.name()).join(kind);
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.ends_with(extension) && name.matches('.').count() == 1
        })
        .collect();
    cases.sort();
    assert!(cases.len() >= 4, "{} has no cases", folder.display());
    cases
}

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let all = Dialect::ALL;
    all.into_iter()
        .flat_map(move |from| all.into_iter().map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
}

fn compare(case: &Path, to: Dialect, actual: &str) {
    let extension = case.extension().unwrap().to_str().unwrap();
    let golden = case.with_extension(format!("{}.{extension}", to.name()));
    if is_writing() {
        std::fs::write(&golden, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(actual, expected, "{} (TOPDOG_WRITE_FIXTURES=1 writes it anew)", golden.display());
}

fn with_losses(body: &[u8], losses: &[Loss]) -> String {
    let mut text = format!("{}\n", std::str::from_utf8(body).unwrap());
    serde_json::from_slice::<serde_json::Value>(body).expect("what is written is JSON");
    for loss in losses {
        writeln!(text, "// {}: {}", loss.path, loss.why).unwrap();
    }
    text
}

#[test]
fn requests() {
    for (from, to) in pairs() {
        for case in cases(from, "requests", ".json") {
            let body = std::fs::read(&case).unwrap();
            let translated = translate::request(from, to, &body, Mode::Lenient, &target()).unwrap();
            compare(&case, to, &with_losses(&translated.body, &translated.dropped));
            let strict = translate::request(from, to, &body, Mode::Strict, &target());
            assert_eq!(strict.is_ok(), translated.dropped.is_empty(), "{}", case.display());
        }
    }
}

#[test]
fn answers() {
    for (from, to) in pairs() {
        for case in cases(from, "answers", ".json") {
            let body = std::fs::read(&case).unwrap();
            let translated = translate::answer(from, to, &body, &CONTEXT).unwrap();
            let mut text = with_losses(&translated.body, &translated.dropped);
            writeln!(text, "// usage: {:?}", translated.usage).unwrap();
            compare(&case, to, &text);
        }
    }
}

#[test]
fn errors() {
    for (from, to) in pairs() {
        for case in cases(from, "errors", ".txt") {
            let text = std::fs::read_to_string(&case).unwrap();
            let (status, body) = text.split_once(' ').unwrap();
            let (status, body) = translate::error(from, to, status.parse().unwrap(), body.as_bytes());
            compare(&case, to, &format!("{status} {}\n", std::str::from_utf8(&body).unwrap()));
        }
    }
}

#[test]
fn streams_however_they_are_cut() {
    for (from, to) in pairs() {
        for case in cases(from, "streams", ".sse") {
            let upstream = to_wire(from, &std::fs::read(&case).unwrap());
            let (whole, translator) = stream(from, to, &upstream, usize::MAX);
            let mut text = whole.clone();
            writeln!(
                text,
                ": done {} failed {} usage {:?} lost {:?}",
                translator.is_done(),
                translator.has_failed(),
                translator.usage(),
                translator.dropped()
            )
            .unwrap();
            compare(&case, to, &text);
            for size in (1..40).chain([64, 100, 1000]) {
                let (cut, _) = stream(from, to, &upstream, size);
                assert_eq!(cut, whole, "{} by {size}", case.display());
            }
        }
    }
}
