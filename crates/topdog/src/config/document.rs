use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// One setting as a file holds it.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its dotted key.
    pub(super) key: String,
    /// Its value.
    pub(super) value: Value,
    /// The line of the key, from 1.
    pub(super) line: usize,
}

/// The text can't be read.
#[derive(Debug)]
pub(super) struct BadDocument {
    /// The line, from 1.
    pub(super) line: usize,
    /// What is wrong with it.
    pub(super) message: String,
}

/// Every setting of a TOML text. A list is one setting, whatever it holds.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, BadDocument> {
    let root = DeTable::parse(text).map_err(|error| BadDocument {
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut found = Vec::new();
    collect(text, "", root.get_ref(), &mut found)?;
    Ok(found)
}

fn collect(text: &str, prefix: &str, table: &DeTable<'_>, found: &mut Vec<Entry>) -> Result<(), BadDocument> {
    for (name, value) in table {
        let key = match prefix {
            "" => name.get_ref().to_string(),
            prefix => format!("{prefix}.{}", name.get_ref()),
        };
        match value.get_ref() {
            DeValue::Table(inner) => collect(text, &key, inner, found)?,
            _ => {
                found.push(Entry { value: plain(text, value)?, line: line_of(text, name.span().start), key })
            }
        }
    }
    Ok(())
}

fn plain(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, BadDocument> {
    let bad =
        |message: &str| BadDocument { line: line_of(text, value.span().start), message: message.to_owned() };
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(is_true) => Value::Boolean(*is_true),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Value::Integer)
            .map_err(|_| bad("the number is too large"))?,
        DeValue::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| plain(text, item)).collect();
            Value::Array(items?)
        }
        DeValue::Table(table) => {
            let pairs: Result<Table, _> = table
                .iter()
                .map(|(name, value)| Ok((name.get_ref().to_string(), plain(text, value)?)))
                .collect();
            Value::Table(pairs?)
        }
        DeValue::Float(_) | DeValue::Datetime(_) => {
            return Err(bad("no setting takes a fraction or a date"));
        }
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
