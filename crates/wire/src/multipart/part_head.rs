//! The headers of one part, and the boundary in the form's content type.

use super::BadMultipart;

/// Which part it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// No part: what comes before the first.
    Preamble,
    Model,
    Stream,
    Other,
}

/// Reads the boundary out of `multipart/form-data; boundary=…`.
pub(super) fn boundary_of(content_type: &str) -> Result<String, BadMultipart> {
    let (kind, parameters) = content_type.split_once(';').ok_or(BadMultipart::ContentType)?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(BadMultipart::ContentType);
    }
    let mut boundary = None;
    for parameter in parameters_of(parameters).ok_or(BadMultipart::ContentType)? {
        if parameter.name.eq_ignore_ascii_case("boundary") && boundary.replace(parameter.value).is_some() {
            return Err(BadMultipart::ContentType);
        }
    }
    boundary.filter(|boundary| is_boundary(boundary)).ok_or(BadMultipart::ContentType)
}

/// Which field the part with these headers (the blank line included) is.
pub(super) fn field_of(head: &[u8]) -> Result<Field, BadMultipart> {
    let head = std::str::from_utf8(head).map_err(|_| BadMultipart::Malformed)?;
    let head = head.strip_suffix("\r\n\r\n").ok_or(BadMultipart::Malformed)?;
    let mut name = None;
    let mut is_plain = true;
    for line in head.split("\r\n") {
        let (header, value) = line.split_once(':').ok_or(BadMultipart::Malformed)?;
        if !is_token(header) || value.contains(['\r', '\n', '\0']) {
            return Err(BadMultipart::Malformed);
        }
        if header.eq_ignore_ascii_case("content-transfer-encoding") {
            is_plain = false;
        }
        if header.eq_ignore_ascii_case("content-disposition") {
            let disposition = disposition_of(value)?;
            is_plain &= !disposition.is_file;
            if name.replace(disposition.name).is_some() {
                return Err(BadMultipart::Malformed);
            }
        }
    }
    match name.as_deref() {
        None => Err(BadMultipart::Malformed),
        Some("model") if !is_plain => Err(BadMultipart::ModelNotText),
        Some("model") => Ok(Field::Model),
        Some("stream") => Ok(Field::Stream),
        Some(_) => Ok(Field::Other),
    }
}

struct Disposition {
    name: String,
    is_file: bool,
}

fn disposition_of(value: &str) -> Result<Disposition, BadMultipart> {
    let (kind, parameters) = value.split_once(';').ok_or(BadMultipart::Malformed)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(BadMultipart::Malformed);
    }
    let mut name = None;
    let mut is_file = false;
    for parameter in parameters_of(parameters).ok_or(BadMultipart::Malformed)? {
        match parameter.name.to_ascii_lowercase().as_str() {
            "name" if name.replace(parameter.value).is_some() => return Err(BadMultipart::Malformed),
            // RFC 7578 forbids the encoded spelling of RFC 5987 here.
            "name*" => return Err(BadMultipart::Malformed),
            "filename" | "filename*" => is_file = true,
            _ => {}
        }
    }
    Ok(Disposition { name: name.ok_or(BadMultipart::Malformed)?, is_file })
}

struct Parameter<'a> {
    name: &'a str,
    value: String,
}

/// Reads `a=b; c="d"`, the text behind the first semicolon; none where it is something else.
fn parameters_of(text: &str) -> Option<Vec<Parameter<'_>>> {
    let mut parameters = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        if !is_token(name) {
            return None;
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => token_value(after)?,
        };
        parameters.push(Parameter { name, value });
        rest = after.trim_start();
        if !rest.is_empty() {
            rest = rest.strip_prefix(';')?.trim_start();
        }
    }
    Some(parameters)
}

/// A quoted value whose opening quote is behind us, and what follows the closing one.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

fn token_value(text: &str) -> Option<(String, &str)> {
    let length = text.find([';', ' ', '\t']).unwrap_or(text.len());
    let (value, after) = text.split_at(length);
    let is_good = !value.is_empty() && !value.contains(['"', '\\']);
    is_good.then(|| (value.to_owned(), after))
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    const MARKS: &[u8] = b"!#$%&'*+-.^_`|~";
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || MARKS.contains(&byte))
}

/// RFC 2046, 5.1.1.
fn is_boundary(text: &str) -> bool {
    const MARKS: &[u8] = b"'()+_,-./:=? ";
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
    (1..=70).contains(&text.len()) && !text.ends_with(' ') && text.bytes().all(is_good)
}
