//! Pages of a list: one row more than asked for is read, to know whether a next page is there.

use std::fmt::Display;
use std::str::FromStr;
use topdog_domain::ports::{Page, PageWish, PortError};

/// No page is longer, whatever is asked for.
const LONGEST: u32 = 1_000;

/// How many rows a page is to have.
fn size(wish: &PageWish) -> u32 {
    wish.limit.clamp(1, LONGEST)
}

/// Behind which id the page begins; none for the first.
pub(super) fn after<Id: FromStr + Display>(wish: &PageWish) -> Result<Option<String>, PortError> {
    let parse = |text: &String| match text.parse::<Id>() {
        Ok(id) => Ok(id.to_string()),
        Err(_) => Err(PortError::Corrupt("a page's beginning".to_owned())),
    };
    wish.after.as_ref().map(parse).transpose()
}

/// How many rows to read for a page.
pub(super) fn rows_to_read(wish: &PageWish) -> i64 {
    i64::from(size(wish)) + 1
}

/// The page of the rows that were read; `key` gives the place of a row in the list.
pub(super) fn page<R, T>(
    wish: &PageWish,
    mut rows: Vec<R>,
    key: impl Fn(&R) -> String,
    value: impl Fn(R) -> Result<T, PortError>,
) -> Result<Page<T>, PortError> {
    let size = usize::try_from(size(wish)).unwrap_or(usize::MAX);
    let has_next = rows.len() > size;
    rows.truncate(size);
    let next = if has_next { rows.last().map(key) } else { None };
    let rows = rows.into_iter().map(value).collect::<Result<_, _>>()?;
    Ok(Page { rows, next })
}
