use crate::api::{List, Page};
use crate::body::Shape;
use crate::describe::Operation;
use serde_json::{Value, json};
use topdog_domain::ports;
use topdog_domain::ports::PageWish;
use utoipa::ToSchema;

/// A page of a port as a page of the API.
pub(crate) fn page<Row, T>(page: ports::Page<Row>, show: impl Fn(Row) -> T) -> Page<T> {
    Page { data: page.rows.into_iter().map(show).collect(), next_cursor: page.next }
}

/// A page of rows that a port gives whole, in the order of their keys.
pub(crate) fn page_of<Row>(
    mut rows: Vec<Row>,
    wish: &PageWish,
    key: impl Fn(&Row) -> String,
) -> ports::Page<Row> {
    rows.sort_by_key(&key);
    let limit = usize::try_from(wish.limit).unwrap_or(usize::MAX);
    let is_behind = |row: &Row| wish.after.as_ref().is_none_or(|after| key(row) > *after);
    let mut rows: Vec<Row> = rows.into_iter().filter(is_behind).take(limit.saturating_add(1)).collect();
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(&key);
    ports::Page { rows, next }
}

impl<T: ToSchema> Shape for Page<T> {
    fn shape(operation: &mut Operation) -> Value {
        let row = operation.refer::<T>();
        json!({
            "type": "object",
            "required": ["data", "next_cursor"],
            "properties": {
                "data": { "type": "array", "items": row },
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "Give it as `cursor` to get the next page; null on the last one."
                }
            }
        })
    }
}

impl<T: ToSchema> Shape for List<T> {
    fn shape(operation: &mut Operation) -> Value {
        let row = operation.refer::<T>();
        json!({
            "type": "object",
            "required": ["data"],
            "properties": { "data": { "type": "array", "items": row } }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let rows: Vec<String> = (0..7).map(|n| format!("row_{n}")).rev().collect();
        let mut seen = Vec::new();
        let mut wish = PageWish { after: None, limit: 3 };
        loop {
            let page = page_of(rows.clone(), &wish, Clone::clone);
            seen.extend(page.rows);
            match page.next {
                Some(next) => wish.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, (0..7).map(|n| format!("row_{n}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_last_page_that_is_full_has_no_next() {
        let rows = vec!["a".to_owned(), "b".to_owned()];
        let page = page_of(rows, &PageWish { after: None, limit: 2 }, Clone::clone);
        assert_eq!((page.rows.len(), page.next), (2, None));
    }
}
