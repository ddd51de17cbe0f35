//! A request's record as bytes: its fields one behind the other without their names, in a quarter of the time that
//! JSON takes to write and to read. Little-endian; a text has its length before it, and what may be missing a byte that
//! says whether it is there.
//!
//! What was written is read by every later version, so this layout never changes: another one is another kind of frame.

use std::sync::Arc;
use topdog_domain::labels::{DataSegment, Plan};
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::usage::{KeyUse, Outcome, RequestRecord, TokenUsage, UsageSource};
use topdog_domain::{ApiKeyId, OrgId, ProviderKeyId, RecordId, RequestId, Timestamp, WorkspaceId};
use uuid::Uuid;

/// What has a form in bytes.
pub(crate) trait Field: Sized {
    /// Appends it.
    fn put(&self, bytes: &mut Vec<u8>);

    /// Takes it from the front; none where there is no such thing.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

/// Takes in the order in which it puts; what has another field no longer compiles. What stands beside them is in frames of
/// a kind of their own.
macro_rules! all_fields {
    ($record:ident { $($field:ident),* $(,)? } $(beside { $($beside:ident),* })?) => {
        impl Field for $record {
            fn put(&self, bytes: &mut Vec<u8>) {
                let Self { $($field,)* $($($beside: _,)*)? } = self;
                $($field.put(bytes);)*
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                $(let $field = Field::take(bytes)?;)*
                Some(Self { $($field,)* $($($beside: None,)*)? })
            }
        }
    };
}

all_fields!(RequestRecord {
    id,
    request,
    at,
    org,
    workspace,
    api_key,
    client_ip,
    plan,
    segment,
    operation,
    is_stream,
    provider,
    model_requested,
    model,
    key_use,
    outcome,
    status,
    is_counted,
    tokens,
    source,
    cost_nanodollars,
    first_byte_us,
    total_us,
    overhead_us,
    bytes_in,
    bytes_out,
    error_code,
} beside { guardrails });
all_fields!(KeyUse { provider_key, version, is_audited });
all_fields!(TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning });

macro_rules! codes {
    ($choice:ident { $($code:literal = $name:ident),* $(,)? }) => {
        impl Field for $choice {
            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.push(match self { $(Self::$name => $code,)* });
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                match u8::take(bytes)? {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

codes!(Plan { 0 = Starter, 1 = Pro, 2 = Enterprise, });
codes!(DataSegment { 0 = General, 1 = Scientific, 2 = Medical, });
codes!(UsageSource { 0 = Provider, 1 = Estimated, 2 = None, 3 = Cache, });
codes!(Outcome {
    0 = Completed,
    1 = ClientGone,
    2 = UpstreamError,
    3 = UpstreamFailed,
    4 = InternalError,
    5 = Refused,
    6 = Blocked,
});
codes!(Operation {
    0 = Chat,
    1 = Completions,
    2 = Embeddings,
    3 = Responses,
    4 = Moderations,
    5 = ImageGeneration,
    6 = ImageEdit,
    7 = ImageVariation,
    8 = Speech,
    9 = Transcription,
    10 = AudioTranslation,
    11 = Messages,
    12 = CountTokens,
    13 = CohereChat,
    14 = CohereEmbed,
    15 = Rerank,
    16 = GenerateContent,
    17 = EmbedContent,
    18 = BatchEmbedContents,
    19 = CountContentTokens,
    20 = Passthrough,
    21 = Resource,
});

macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl Field for $number {
            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                take_chunk(bytes).map(Self::from_le_bytes)
            }
        }
    )*};
}

numbers! { u8 u16 u32 u64 i64 }

macro_rules! ids {
    ($($id:ident)*) => {$(
        impl Field for $id {
            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(self.uuid().as_bytes());
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                take_chunk(bytes).map(Uuid::from_bytes).map(Self::from_uuid)
            }
        }
    )*};
}

ids! { RecordId RequestId OrgId WorkspaceId ApiKeyId ProviderKeyId }

impl Field for bool {
    fn put(&self, bytes: &mut Vec<u8>) {
        u8::from(*self).put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match u8::take(bytes)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.is_some().put(bytes);
        if let Some(value) = self {
            value.put(bytes);
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        if bool::take(bytes)? { T::take(bytes).map(Some) } else { Some(None) }
    }
}

impl Field for Timestamp {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.micros().put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        i64::take(bytes).map(Self::from_micros)
    }
}

impl Field for Arc<str> {
    fn put(&self, bytes: &mut Vec<u8>) {
        put_text(self, bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        take_text(bytes).map(Self::from)
    }
}

impl Field for ProviderName {
    fn put(&self, bytes: &mut Vec<u8>) {
        put_text(self.as_str(), bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Self::parse(take_text(bytes)?).ok()
    }
}

fn take_chunk<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*chunk)
}

fn put_text(text: &str, bytes: &mut Vec<u8>) {
    // One that is longer than the number can say is too long for a frame, which then is not written.
    u32::try_from(text.len()).unwrap_or(u32::MAX).put(bytes);
    bytes.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(u32::take(bytes)?).ok()?;
    std::str::from_utf8(bytes.split_off(..length)?).ok()
}
