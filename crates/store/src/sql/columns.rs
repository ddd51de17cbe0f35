//! How values stand in columns: names as text, ids as text or, in the tables of records, as bytes, time as microseconds, lists as JSON.

use super::error::corrupt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use topdog_domain::Timestamp;
use topdog_domain::audit::ChainHash;
use topdog_domain::labels::DataSegment;
use topdog_domain::ports::PortError;
use uuid::Uuid;

/// An id, or another value with a written form.
pub(super) fn parsed<T: FromStr>(column: &'static str, text: &str) -> Result<T, PortError> {
    text.parse().map_err(|_| corrupt(column))
}

/// The 16 bytes of an id, as the tables of records have it.
pub(super) fn id_bytes(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

/// The id of 16 bytes.
pub(super) fn from_id_bytes(column: &'static str, bytes: &[u8]) -> Result<Uuid, PortError> {
    Uuid::from_slice(bytes).map_err(|_| corrupt(column))
}

/// A count as a column: the columns are signed, and no count comes near their end.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of an unsigned type.
pub(super) fn unsigned<T: TryFrom<i64>>(column: &'static str, number: i64) -> Result<T, PortError> {
    T::try_from(number).map_err(|_| corrupt(column))
}

/// A closed word such as a role or a mode, as its serialised form without the quotes.
pub(super) fn word<T: Serialize>(value: &T) -> Result<String, PortError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(PortError::Corrupt("a word that is no word".to_owned())),
    }
}

/// The value of a closed word.
pub(super) fn from_word<T: DeserializeOwned>(column: &'static str, word: String) -> Result<T, PortError> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|_| corrupt(column))
}

/// A list or a record as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, PortError> {
    serde_json::to_string(value).map_err(|_| PortError::Corrupt("a value that is no JSON".to_owned()))
}

/// The list or the record.
pub(super) fn from_json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, PortError> {
    serde_json::from_str(text).map_err(|_| corrupt(column))
}

/// A time that may be missing.
pub(super) fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::micros)
}

/// 32 bytes of a digest.
pub(super) fn digest(column: &'static str, bytes: &[u8]) -> Result<[u8; 32], PortError> {
    bytes.try_into().map_err(|_| corrupt(column))
}

/// A hash of the audit chain.
pub(super) fn chain_hash(column: &'static str, bytes: &[u8]) -> Result<ChainHash, PortError> {
    digest(column, bytes).map(ChainHash)
}

/// A data segment that may be missing.
pub(super) fn segment(column: &'static str, name: Option<String>) -> Result<Option<DataSegment>, PortError> {
    name.map(|name| DataSegment::from_name(&name).ok_or_else(|| corrupt(column))).transpose()
}
