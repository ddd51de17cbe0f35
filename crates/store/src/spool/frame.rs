//! A record on the disk: `u32` length, `u32` CRC-32 (IEEE), `u8` kind, content. Little-endian; length and checksum
//! are of the kind and the content together.

use super::fields::Field;
use serde::de::DeserializeOwned;
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::Batch;
use topdog_domain::usage::RequestRecord;

/// Bytes before the kind.
const HEAD_BYTES: usize = 8;
/// Bytes of the longest frame. A record is some 300 bytes; what a caller can put into one is limited long before.
pub(super) const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A [`RequestRecord`] as JSON, as it was written before there was another kind.
    JsonRequest = 1,
    /// An [`AuditDraft`] as JSON.
    Audit = 2,
    /// A [`RequestRecord`], [`MARK`] and its [fields](super::fields).
    Request = 3,
    /// The same with what guardrails decided behind it, for the few records that have such.
    JudgedRequest = 4,
}

/// What the fields of a record begin with: any byte, that places where no frame begins are known by.
const MARK: u8 = b'#';

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::JsonRequest),
            2 => Some(Self::Audit),
            3 => Some(Self::Request),
            4 => Some(Self::JudgedRequest),
            _ => None,
        }
    }

    const fn first_byte(self) -> u8 {
        match self {
            Self::JsonRequest | Self::Audit => b'{',
            Self::Request | Self::JudgedRequest => MARK,
        }
    }
}

/// The record is too long for a frame, or can't be written as JSON.
#[derive(Debug)]
pub(super) struct Unframeable;

/// What a frame can be made of.
pub(super) trait Record {
    /// Of which kind its frames are, as a rule.
    const KIND: Kind;

    /// Of which kind its frame is.
    fn kind(&self) -> Kind {
        Self::KIND
    }

    /// Appends what is in its frame.
    fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unframeable>;
}

impl Record for RequestRecord {
    const KIND: Kind = Kind::Request;

    fn kind(&self) -> Kind {
        if self.guardrails.is_some() { Kind::JudgedRequest } else { Kind::Request }
    }

    fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unframeable> {
        bytes.push(MARK);
        self.put(bytes);
        if self.guardrails.is_some() {
            self.guardrails.put(bytes);
        }
        Ok(())
    }
}

impl Record for AuditDraft {
    const KIND: Kind = Kind::Audit;

    fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unframeable> {
        serde_json::to_writer(bytes, self).map_err(|_| Unframeable)
    }
}

/// Appends the record's frame; where it fails, `bytes` may end in a part of it.
pub(super) fn encode<T: Record>(bytes: &mut Vec<u8>, record: &T) -> Result<(), Unframeable> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; HEAD_BYTES]);
    bytes.push(record.kind() as u8);
    record.write(bytes)?;
    let frame = bytes.get_mut(start..).ok_or(Unframeable)?;
    if frame.len() > MAX_FRAME_BYTES {
        return Err(Unframeable);
    }
    let (head, body) = frame.split_at_mut_checked(HEAD_BYTES).ok_or(Unframeable)?;
    let length = u32::try_from(body.len()).map_err(|_| Unframeable)?.to_le_bytes();
    let sum = crc32fast::hash(body).to_le_bytes();
    for (to, from) in head.iter_mut().zip(length.into_iter().chain(sum)) {
        *to = from;
    }
    Ok(())
}

/// An intact frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    kind: Kind,
    content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the beginning of `bytes`; none where there is no intact one.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        if length > MAX_FRAME_BYTES - HEAD_BYTES {
            return None;
        }
        let body = rest.get(..length)?;
        let (kind, content) = body.split_first()?;
        // Cheaper than the checksum, and says no to nearly every place where no frame begins.
        let kind = Kind::from_byte(*kind).filter(|kind| content.first() == Some(&kind.first_byte()))?;
        (crc32fast::hash(body) == u32::from_le_bytes(*sum)).then_some(Self { kind, content })
    }

    /// Bytes of the whole frame.
    pub(super) const fn len(&self) -> usize {
        HEAD_BYTES + 1 + self.content.len()
    }

    /// Adds the record to the batch; false where the frame is intact but says what this version can't read.
    pub(super) fn add_to(&self, batch: &mut Batch) -> bool {
        match self.kind {
            Kind::Request | Kind::JudgedRequest => self.fields().map(|record| batch.requests.push(record)),
            Kind::JsonRequest => self.json().map(|record| batch.requests.push(record)),
            Kind::Audit => self.json().map(|draft| batch.audits.push(draft)),
        }
        .is_some()
    }

    fn fields(&self) -> Option<RequestRecord> {
        let (_mark, mut rest) = self.content.split_first()?;
        let mut record = RequestRecord::take(&mut rest)?;
        if self.kind == Kind::JudgedRequest {
            record.guardrails = Field::take(&mut rest)?;
        }
        rest.is_empty().then_some(record)
    }

    fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.content).ok()
    }
}

/// Bytes of the intact frames that `bytes` begins with.
pub(super) fn intact_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(frame) = bytes.get(at..).and_then(Frame::parse) {
        at += frame.len();
    }
    at
}

/// Where the next intact frame begins.
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|at| bytes.get(*at..).and_then(Frame::parse).is_some())
}
