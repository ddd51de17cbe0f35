//! Just enough of Rust's lexical rules to tell code from comments and literals.

/// `source` with each comment, string and character blanked, every line where it was.
pub(crate) fn only_code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(token) = Token::first(rest) {
        let (text, after) = rest.split_at(token.length);
        if token.is_code {
            code.push_str(text);
        } else {
            code.extend(text.chars().map(|c| if c == '\n' { c } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// Number, from 1, of the line that holds byte `offset`.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Each identifier or keyword of blanked code, with its offset.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = code.get(offset..)?;
        let start = offset + rest.find(is_word)?;
        let tail = code.get(start..)?;
        let length = tail.find(|c| !is_word(c)).unwrap_or(tail.len());
        offset = start + length;
        tail.get(..length).map(|word| (start, word))
    })
}

/// The body of each attribute of blanked code, `#[…]` and `#![…]`, with its offset.
pub(crate) fn attributes(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices('#').filter_map(|(offset, _)| {
        let after = code.get(offset + 1..)?.trim_start();
        let after = after.strip_prefix('!').unwrap_or(after).trim_start();
        let body = after.strip_prefix('[')?;
        let mut depth = 1_usize;
        let end = body.find(|c| {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        body.get(..end).map(|body| (offset, body))
    })
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

struct Token {
    length: usize,
    is_code: bool,
}

impl Token {
    fn first(rest: &str) -> Option<Self> {
        let first = rest.chars().next()?;
        let literal = |length| Self { length, is_code: false };
        Some(match first {
            '/' if rest.starts_with("//") => literal(rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => literal(block_comment(rest)),
            '"' => literal(quoted(rest, '"')),
            '\'' if is_character(rest) => literal(quoted(rest, '\'')),
            c if is_word(c) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(length);
                match raw_string(word, after) {
                    Some(raw) => literal(length + raw),
                    None => Self { length, is_code: true },
                }
            }
            c => Self { length: c.len_utf8(), is_code: true },
        })
    }
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else if let Some(c) = tail.chars().next() {
            at += c.len_utf8();
        } else {
            break;
        }
    }
    rest.len()
}

/// A literal between two `quote`s, where a backslash hides what follows it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut hidden = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !hidden;
        hidden = *c == '\\' && !hidden;
        ends
    });
    end.map_or(rest.len(), |(at, c)| at + c.len_utf8())
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_character(rest: &str) -> bool {
    let mut following = rest.chars().skip(1);
    matches!((following.next(), following.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

/// Length of the `#"…"#` after one of the raw prefixes.
fn raw_string(prefix: &str, after: &str) -> Option<usize> {
    if !matches!(prefix, "r" | "br" | "cr") {
        return None;
    }
    let body = after.trim_start_matches('#');
    let hashes = after.len() - body.len();
    let body = body.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |at| at + close.len());
    Some(hashes + 1 + end)
}
