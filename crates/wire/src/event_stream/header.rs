//! Headers of a message, and the ten kinds of their values.

use super::Damage;

/// One header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name, 1 to 255 bytes; those that Amazon gives meaning begin with a colon.
    pub name: &'a str,
    /// Its value.
    pub value: HeaderValue<'a>,
}

/// The value of a header; the number of each kind is its place here, but for the two of `Bool`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderValue<'a> {
    /// Kinds 0 (true) and 1 (false).
    Bool(bool),
    /// Kind 2.
    Byte(i8),
    /// Kind 3.
    Short(i16),
    /// Kind 4.
    Int(i32),
    /// Kind 5.
    Long(i64),
    /// Kind 6, at most 65,535 bytes.
    Bytes(&'a [u8]),
    /// Kind 7, at most 65,535 bytes.
    Text(&'a str),
    /// Kind 8, in milliseconds since 1970.
    Timestamp(i64),
    /// Kind 9.
    Uuid([u8; 16]),
}

/// All headers of a message, whose bytes must be them and nothing else.
pub(super) fn read_all(mut bytes: &[u8]) -> Result<Vec<Header<'_>>, Damage> {
    let mut headers: Vec<Header<'_>> = Vec::new();
    while !bytes.is_empty() {
        let header = read(&mut bytes).ok_or(Damage::Header)?;
        if headers.iter().any(|other| other.name == header.name) {
            return Err(Damage::Header);
        }
        headers.push(header);
    }
    Ok(headers)
}

fn read<'a>(bytes: &mut &'a [u8]) -> Option<Header<'a>> {
    let [length] = take_array(bytes)?;
    let name = std::str::from_utf8(take(bytes, usize::from(length))?).ok().filter(|name| !name.is_empty())?;
    let [kind] = take_array(bytes)?;
    let value = match kind {
        0 => HeaderValue::Bool(true),
        1 => HeaderValue::Bool(false),
        2 => HeaderValue::Byte(i8::from_be_bytes(take_array(bytes)?)),
        3 => HeaderValue::Short(i16::from_be_bytes(take_array(bytes)?)),
        4 => HeaderValue::Int(i32::from_be_bytes(take_array(bytes)?)),
        5 => HeaderValue::Long(i64::from_be_bytes(take_array(bytes)?)),
        6 => HeaderValue::Bytes(take_counted(bytes)?),
        7 => HeaderValue::Text(std::str::from_utf8(take_counted(bytes)?).ok()?),
        8 => HeaderValue::Timestamp(i64::from_be_bytes(take_array(bytes)?)),
        9 => HeaderValue::Uuid(take_array(bytes)?),
        _ => return None,
    };
    Some(Header { name, value })
}

fn take_counted<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u16::from_be_bytes(take_array(bytes)?);
    take(bytes, usize::from(length))
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = bytes.split_first_chunk()?;
    *bytes = after;
    Some(*first)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (first, after) = bytes.split_at_checked(length)?;
    *bytes = after;
    Some(first)
}

/// Appends a header; none where its name or its value is longer than can be told.
pub(super) fn write(name: &str, value: HeaderValue<'_>, out: &mut Vec<u8>) -> Option<()> {
    let length = u8::try_from(name.len()).ok().filter(|length| *length > 0)?;
    out.push(length);
    out.extend_from_slice(name.as_bytes());
    let (kind, bytes): (u8, &[u8]) = match value {
        HeaderValue::Bool(true) => (0, &[]),
        HeaderValue::Bool(false) => (1, &[]),
        HeaderValue::Byte(value) => (2, &value.to_be_bytes()),
        HeaderValue::Short(value) => (3, &value.to_be_bytes()),
        HeaderValue::Int(value) => (4, &value.to_be_bytes()),
        HeaderValue::Long(value) => (5, &value.to_be_bytes()),
        HeaderValue::Bytes(value) => (6, value),
        HeaderValue::Text(value) => (7, value.as_bytes()),
        HeaderValue::Timestamp(value) => (8, &value.to_be_bytes()),
        HeaderValue::Uuid(ref value) => (9, value),
    };
    out.push(kind);
    if matches!(kind, 6 | 7) {
        out.extend_from_slice(&u16::try_from(bytes.len()).ok()?.to_be_bytes());
    }
    out.extend_from_slice(bytes);
    Some(())
}
