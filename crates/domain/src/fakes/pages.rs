use crate::ports::{Page, PageWish, PortError};
use std::fmt::Display;
use std::str::FromStr;

/// A page of rows that come in the order of their keys, ascending or descending.
pub(super) fn page<K, T>(
    rows: impl Iterator<Item = (K, T)>,
    wish: &PageWish,
    is_behind: impl Fn(&K, &K) -> bool,
) -> Result<Page<T>, PortError>
where
    K: Display + FromStr,
{
    let after: Option<K> = match &wish.after {
        Some(text) => Some(text.parse().map_err(|_| PortError::Corrupt("a page's beginning".to_owned()))?),
        None => None,
    };
    let limit = usize::try_from(wish.limit).unwrap_or(usize::MAX);
    let mut rows =
        rows.filter(|(key, _)| after.as_ref().is_none_or(|after| is_behind(key, after))).peekable();
    let mut page = Page { rows: Vec::new(), next: None };
    let mut last = None;
    while page.rows.len() < limit {
        let Some((key, row)) = rows.next() else { break };
        page.rows.push(row);
        last = Some(key);
    }
    if rows.peek().is_some() {
        page.next = last.map(|key| key.to_string());
    }
    Ok(page)
}
