//! Identifiers: UUIDv7 behind a type of its own, written with a prefix that says what it names.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use uuid::Uuid;

/// The text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{prefix}` followed by 32 hexadecimal digits is expected here")]
pub struct BadId {
    /// The prefix that the identifier should have had.
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What the written form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new identifier, ordered by the time of its making.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The identifier with these 128 bits.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare 128 bits.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Hands over the written form, made without a formatter or the heap: some are written several times on the
            /// way of every request.
            pub fn with_text<R>(self, take: impl FnOnce(&str) -> R) -> R {
                const { assert!(Self::PREFIX.len() + 32 <= TEXT_BYTES, "a longer prefix needs a longer buffer") };
                let mut buffer = [0; TEXT_BYTES];
                let (prefix, rest) = buffer.split_at_mut(Self::PREFIX.len());
                prefix.copy_from_slice(Self::PREFIX.as_bytes());
                let len = Self::PREFIX.len() + self.0.simple().encode_lower(rest).len();
                let text = buffer.get(..len).and_then(|text| std::str::from_utf8(text).ok());
                take(text.unwrap_or_default())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = Uuid::encode_buffer();
                f.write_str(Self::PREFIX)?;
                f.write_str(self.0.simple().encode_lower(&mut buffer))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = BadId { prefix: Self::PREFIX };
                let hex = text.strip_prefix(Self::PREFIX).ok_or_else(|| bad.clone())?;
                if hex.len() != 32 || hex.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(bad);
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| bad)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.with_text(|text| serializer.serialize_str(text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor(PhantomData))
            }
        }
    )*};
}

ids! {
    /// An organisation: the tenant, the owner of everything else.
    OrgId = "org_";
    /// A workspace of an organisation.
    WorkspaceId = "ws_";
    /// A person's membership of an organisation.
    MemberId = "mem_";
    /// A Top Dog API key, through all rotations of its secret.
    ApiKeyId = "key_";
    /// A provider key (BYOK), through all its versions.
    ProviderKeyId = "pk_";
    /// A custom, OpenAI-compatible endpoint of an organisation.
    EndpointId = "ep_";
    /// One request, from arrival to record.
    RequestId = "req_";
    /// One spooled record; what makes shipping idempotent.
    RecordId = "rec_";
}

/// The longest prefix and the 32 digits.
const TEXT_BYTES: usize = 4 + 32;

/// Reads an identifier without copying its text.
struct TextVisitor<Id>(PhantomData<Id>);

impl<Id: FromStr<Err = BadId>> Visitor<'_> for TextVisitor<Id> {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identifier")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
        text.parse().map_err(E::custom)
    }
}

impl OrgId {
    /// Nobody's: in whose audit chain stands what concerns the whole installation, such as a changed tier.
    pub const INSTALLATION: Self = Self(Uuid::nil());
}
