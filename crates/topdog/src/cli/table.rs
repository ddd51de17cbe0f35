use std::fmt;

/// Rows for people: columns as wide as their widest cell, two spaces between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows yet.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { head: columns.iter().map(|c| c.to_uppercase()).collect(), rows: Vec::new() }
    }

    /// One thing, a line for each of its facts.
    pub(crate) fn of_facts<const N: usize>(facts: [(&str, String); N]) -> Self {
        let rows = facts.into_iter().map(|(name, value)| vec![name.to_owned(), printable(&value)]).collect();
        Self { head: Vec::new(), rows }
    }

    /// One row more.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&Vec<String>> =
            Some(&self.head).filter(|head| !head.is_empty()).into_iter().chain(&self.rows).collect();
        let columns = lines.iter().map(|line| line.len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|at| lines.iter().filter_map(|l| l.get(at)).map(|c| c.chars().count()).max().unwrap_or(0))
            .collect();
        for line in lines {
            let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// The text with its control characters written out, so that a name can't move a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Marks that turn the direction of writing round or take no room: what is read is then not what is there.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The texts with commas between, or a dash where there are none.
pub(crate) fn listed<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { NOTHING.to_owned() } else { items.join(",") }
}

/// The value, or a dash.
pub(crate) fn or_dash<T: fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string())
}

const NOTHING: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["name", "tier"]);
        table.row(["acme".into(), "PRO-PLUS".into()]);
        table.row(["étoile filante".into(), "FREE".into()]);
        assert_eq!(
            table.to_string(),
            "NAME            TIER\nacme            PRO-PLUS\nétoile filante  FREE\n"
        );
    }

    #[test]
    fn facts_have_no_head() {
        let table = Table::of_facts([("id", "org_1".into()), ("data segment", or_dash(None::<&str>))]);
        assert_eq!(table.to_string(), "id            org_1\ndata segment  -\n");
    }

    #[test]
    fn a_name_can_not_move_the_cursor() {
        let mut table = Table::new(&["name"]);
        table.row(["a\u{1b}[2Jb\u{202e}c\nd".into()]);
        assert_eq!(table.to_string(), "NAME\na\\u{1b}[2Jb\\u{202e}c\\nd\n");
    }

    #[test]
    fn an_empty_list_is_a_dash() {
        assert_eq!(listed(Vec::<String>::new()), "-");
        assert_eq!(listed(["llm", "org:read"]), "llm,org:read");
    }
}
