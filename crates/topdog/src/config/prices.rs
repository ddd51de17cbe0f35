use super::checked::{Bad, Checked};
use super::raw;
use std::fs::File;
use std::io::Read as _;
use topdog_domain::catalogue::Entries;

/// The operator's own models and prices; none where no file is named.
pub(super) fn check(raw: &raw::Prices) -> Checked<Option<Entries>> {
    if raw.file.is_empty() {
        return Ok(None);
    }
    let bad = |why: String| Bad::new(KEY, format!("names {}, {why}", raw.file));
    let mut text = String::new();
    File::open(&raw.file)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| bad(format!("which can't be read: {error}")))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(bad(format!("which is larger than {MOST_BYTES} bytes; leave out what is built in")));
    }
    let entries = Entries::parse(&text).map_err(|error| bad(format!("which makes no sense: {error}")))?;
    Ok(Some(entries))
}

const KEY: &str = "prices.file";

/// Some ten times what is built in.
const MOST_BYTES: u64 = 4 << 20;
