//! The form splicer.

use super::Cuts;
use bytes::Bytes;
use topdog_wire::multipart::{BadMultipart, ModelFinder, Progress};

/// The boundary of every form that is tried.
const CONTENT_TYPE: &str = "multipart/form-data; boundary=edge";

/// Of a form, whatever it is: cut anywhere, it is judged alike; named as it was, not a byte changes;
/// named anew, it reads as named.
pub fn multipart(data: &[u8]) {
    let (mut cuts, form) = Cuts::of(data);
    let whole = pass(&[form], None);
    let cut = pass(&cuts.pieces(form), None);
    assert_eq!(whole.is_ok(), cut.is_ok(), "judged otherwise when cut");
    let (Ok(whole), Ok(cut)) = (whole, cut) else {
        return;
    };
    assert_eq!(whole, cut);
    if whole.model.is_some() {
        assert_eq!(whole.bytes, form, "changed more than the model");
    }
    let renamed = pass(&[form], Some("another")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(renamed.bytes.len() as i64, form.len() as i64 + renamed.growth);
    let reread =
        pass(&[&renamed.bytes], None).unwrap_or_else(|error| panic!("spliced into a bad form: {error}"));
    assert_eq!(reread.model.as_deref(), Some("another"));
}

#[derive(Debug, PartialEq, Eq)]
struct Passed {
    model: Option<String>,
    bytes: Vec<u8>,
    growth: i64,
}

fn pass(pieces: &[&[u8]], model: Option<&str>) -> Result<Passed, BadMultipart> {
    let mut finder = ModelFinder::new(CONTENT_TYPE)?;
    let mut pieces = pieces.iter();
    let mut progress = Progress::Searching;
    while progress == Progress::Searching {
        let piece = pieces.next().ok_or(BadMultipart::Truncated)?;
        progress = finder.feed(Bytes::copy_from_slice(piece))?;
    }
    let found = finder.model().map(str::to_owned);
    let name = model.or(found.as_deref()).unwrap_or("added").to_owned();
    let spliced = finder.splice(&name);
    let mut bytes = spliced.held.concat();
    let mut rest = spliced.rest;
    for piece in pieces {
        rest.feed(piece)?;
        bytes.extend_from_slice(piece);
    }
    rest.finish()?;
    Ok(Passed { model: found, bytes, growth: spliced.growth })
}
