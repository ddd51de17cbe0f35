//! Finds secrets where they have no business: whole or in part, in any usual form.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Long enough that no such stretch turns up by chance, short enough to see a key that was cut.
const PIECE: usize = 16;
/// A piece begins at every such place: whatever is left of a key that was cut holds one, if it is not much shorter.
const STRIDE: usize = 4;
/// What a search begins with at each place.
type Start = [u8; 3];

/// What is looked for.
#[derive(Default)]
pub(crate) struct Scanner {
    needles: HashMap<Start, Vec<Needle>>,
    /// By [`number`]: does any needle start so? Nearly every place ends here.
    starts: Vec<bool>,
}

/// What a part of a secret may look like.
pub(crate) struct Needle {
    bytes: Vec<u8>,
    secret: Arc<[u8]>,
    /// Which secret, and as what: said instead of the secret.
    pub(crate) what: String,
}

impl Scanner {
    /// Looks for that secret, too: every stretch of it, in every form. One that is no longer than such a stretch is
    /// looked for as a whole.
    pub(crate) fn add(&mut self, label: &str, secret: &[u8]) {
        self.starts.resize(1 << 24, false);
        let whole: Arc<[u8]> = secret.into();
        let pieces = || secret.windows(PIECE.min(secret.len()));
        for piece in pieces().step_by(STRIDE).chain(pieces().last()) {
            for (form, bytes) in forms(piece) {
                let start: Start = bytes[..3].try_into().unwrap();
                self.starts[number(start)] = true;
                let needle = Needle { bytes, secret: whole.clone(), what: format!("{label}, {form}") };
                self.needles.entry(start).or_default().push(needle);
            }
        }
    }

    /// What of it is in those bytes; none where nothing is.
    pub(crate) fn find(&self, text: &[u8]) -> Option<&Needle> {
        self.find_unless(text, |_| false)
    }

    fn find_unless(&self, text: &[u8], is_at_home: impl Fn(&[u8]) -> bool) -> Option<&Needle> {
        if self.needles.is_empty() {
            return None;
        }
        let mut at = 0;
        while at + 3 <= text.len() {
            // Databases and logs that were made in advance are nothing for the most part.
            if text[at] == 0 && text[at..].starts_with(&NOTHING) {
                at += NOTHING.len();
                continue;
            }
            let start = [text[at], text[at + 1], text[at + 2]];
            if self.starts[number(start)]
                && let Some(needle) = self.needles[&start]
                    .iter()
                    .find(|needle| text[at..].starts_with(&needle.bytes) && !is_at_home(&needle.secret))
            {
                return Some(needle);
            }
            at += 1;
        }
        None
    }

    /// Whatever is found in the files below a folder, but for secrets in files that are their home.
    pub(crate) fn search(&self, folder: &Path, is_at_home: &dyn Fn(&Path, &[u8]) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap().file_type();
            if kind.is_dir() {
                found.extend(self.search(&path, is_at_home));
            } else if kind.is_file() {
                let text = std::fs::read(&path).unwrap();
                let needle = self.find_unless(&text, |secret| is_at_home(&path, secret));
                found.extend(needle.map(|needle| format!("{}: {}", path.display(), needle.what)));
            }
        }
        found
    }
}

const NOTHING: [u8; 4096] = [0; 4096];

const fn number(start: Start) -> usize {
    (start[0] as usize) << 16 | (start[1] as usize) << 8 | start[2] as usize
}

/// A piece as it may have been written.
fn forms(piece: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut forms = vec![("raw".to_owned(), piece.to_vec())];
    let hex: String = written(piece, |hex, byte| write!(hex, "{byte:02x}"));
    forms.push(("upper-case hex".to_owned(), hex.to_ascii_uppercase().into_bytes()));
    forms.push(("hex".to_owned(), hex.into_bytes()));
    let percent = written(piece, |text, byte| match byte {
        b'-' | b'_' | b'.' | b'~' => write!(text, "{}", char::from(byte)),
        _ if byte.is_ascii_alphanumeric() => write!(text, "{}", char::from(byte)),
        _ => write!(text, "%{byte:02X}"),
    });
    forms.push(("percent-encoded".to_owned(), percent.into_bytes()));
    if let Ok(text) = std::str::from_utf8(piece) {
        let json = serde_json::to_string(text).unwrap();
        forms.push(("in JSON".to_owned(), json[1..json.len() - 1].into()));
    }
    let numbers: Vec<_> = piece.iter().map(u8::to_string).collect();
    forms.push(("as numbers".to_owned(), numbers.join(",").into_bytes()));
    for (alphabet, engine) in [("base64", &STANDARD_NO_PAD), ("base64url", &URL_SAFE_NO_PAD)] {
        for before in 0..3 {
            // Characters that also hold bits of what is before or behind are left out.
            let whole = engine.encode([&vec![0; before], piece].concat());
            let (from, to) = ((before * 8).div_ceil(6), (before + piece.len()) * 8 / 6);
            forms.push((format!("{alphabet} at {before}"), whole[from..to].into()));
        }
    }
    forms
}

fn written(piece: &[u8], mut one: impl FnMut(&mut String, u8) -> std::fmt::Result) -> String {
    let mut text = String::new();
    for byte in piece {
        one(&mut text, *byte).unwrap();
    }
    text
}

#[test]
fn a_planted_secret_is_found_in_every_form_and_nothing_else_is() {
    let secret = r#"sk-proj-a/b+c"d\e%f&g=0123456789abcdef"#;
    let mut scanner = Scanner::default();
    scanner.add("planted", secret.as_bytes());
    let folder = tempfile::tempdir().unwrap();
    let search = || scanner.search(folder.path(), &|_, _| false);
    let plant = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    plant("innocent", b"{\"key\":\"pk_0198\",\"starts\":\"sk-proj-a/b\"} c3RhcnQ 736b2d70726f6a");
    assert_eq!(search(), [""; 0]);
    let long = secret.repeat(2);
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert!(scanner.find(percent.as_bytes()).is_none(), "letters are not percent-encoded by anyone");
    for (form, text) in [
        ("raw", secret.as_bytes().to_vec()),
        ("cut at its end", secret.as_bytes()[..20].to_vec()),
        ("cut at its beginning", secret.as_bytes()[15..].to_vec()),
        ("hex", written(secret.as_bytes(), |hex, byte| write!(hex, "{byte:02x}")).into_bytes()),
        ("HEX", written(secret.as_bytes(), |hex, byte| write!(hex, "{byte:02X}")).into_bytes()),
        ("in JSON", serde_json::json!({ "k": secret }).to_string().into_bytes()),
        ("debug-printed bytes", format!("{:?}", secret.as_bytes()).replace(' ', "").into_bytes()),
        ("base64", STANDARD_NO_PAD.encode(secret).into_bytes()),
        ("base64 behind one byte", STANDARD_NO_PAD.encode(format!("x{secret}y")).into_bytes()),
        ("base64 behind two bytes", STANDARD_NO_PAD.encode(format!("xy{secret}")).into_bytes()),
        ("base64url", URL_SAFE_NO_PAD.encode(&long).into_bytes()),
        ("percent-encoded", b"sk-proj-a%2Fb%2Bc%22d%5Ce%25f%26g%3D0123456789abcdef".to_vec()),
    ] {
        plant("planted", &[b"some text before ".as_slice(), &text, b" and behind"].concat());
        let found = search();
        assert_eq!(found.len(), 1, "{form} is not found");
        assert!(found[0].contains("/planted: planted, "), "{found:?}");
        assert!(!found[0].contains(&secret[..20]), "what is found is not told");
    }
}
