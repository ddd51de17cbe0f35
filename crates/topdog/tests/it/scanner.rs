//! Finds secrets where they have no business: whole or in part, in any usual form.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Long enough that no such stretch turns up by chance, short enough to see a key that was cut.
const PIECE: usize = 16;
/// What a search begins with at each place.
type Start = [u8; 3];

/// What is looked for.
#[derive(Default)]
pub(crate) struct Scanner {
    needles: HashMap<Start, Vec<Needle>>,
    /// By [`number`]: does any needle start so? Nearly every place ends here.
    starts: Vec<bool>,
}

struct Needle {
    bytes: Vec<u8>,
    /// Which secret, and as what: said instead of the secret.
    what: String,
}

impl Scanner {
    /// Looks for that secret, too: every stretch of it, in every form.
    pub(crate) fn add(&mut self, label: &str, secret: &str) {
        assert!(secret.len() >= PIECE, "{label} is too short to be looked for");
        self.starts.resize(1 << 24, false);
        for piece in secret.as_bytes().windows(PIECE) {
            for (form, bytes) in forms(piece) {
                let start: Start = bytes[..3].try_into().unwrap();
                self.starts[number(start)] = true;
                let needle = Needle { bytes, what: format!("{label}, {form}") };
                self.needles.entry(start).or_default().push(needle);
            }
        }
    }

    /// What of it is in those bytes; none where nothing is.
    pub(crate) fn find(&self, text: &[u8]) -> Option<&str> {
        let mut at = 0;
        while at + 3 <= text.len() {
            let start = [text[at], text[at + 1], text[at + 2]];
            if self.starts[number(start)]
                && let Some(needle) = self.needles[&start].iter().find(|n| text[at..].starts_with(&n.bytes))
            {
                return Some(&needle.what);
            }
            at += 1;
        }
        None
    }

    /// Whatever is found in the files below a folder, and where.
    pub(crate) fn search(&self, folder: &Path) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(self.search(&path));
            } else if let Some(what) = self.find(&std::fs::read(&path).unwrap()) {
                found.push((path, what.to_owned()));
            }
        }
        found
    }
}

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
    let json = serde_json::to_string(std::str::from_utf8(piece).unwrap()).unwrap();
    forms.push(("in JSON".to_owned(), json[1..json.len() - 1].into()));
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
    scanner.add("planted", secret);
    let folder = tempfile::tempdir().unwrap();
    let plant = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    plant("innocent", b"{\"key\":\"pk_0198\",\"starts\":\"sk-proj-a/b\"} c3RhcnQ 736b2d70726f6a");
    assert_eq!(scanner.search(folder.path()), []);
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
        let found = scanner.search(folder.path());
        assert_eq!(found.len(), 1, "{form} is not found");
        assert!(found[0].0.ends_with("planted"));
        assert!(!found[0].1.contains(&secret[..20]), "what is found is not told");
    }
}
