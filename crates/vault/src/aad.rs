//! Associated data: what a ciphertext is and where it belongs, written so that no two places read alike.
//!
//! Each field goes in with its length before it, so that no boundary can be shifted; the first is the layer.

use topdog_domain::OrgId;

use crate::seal::Slot;

/// The associated data of one ciphertext.
pub(crate) struct AssociatedData(Vec<u8>);

impl AssociatedData {
    /// Of a version of an organisation's key, under a version of the root key.
    pub(crate) fn org_key(org: OrgId, version: u32, created_at: i64, root: RootName<'_>, alg: &str) -> Self {
        Self::begin("td-org-key-v1", alg)
            .bytes(org.uuid().as_bytes())
            .number(version.into())
            .bytes(&created_at.to_be_bytes())
            .root(root)
    }

    /// Of the data key of a version of a secret, under a version of the organisation's key.
    pub(crate) fn data_key(slot: &Slot, org_key_version: u32, alg: &str) -> Self {
        Self::begin("td-data-key-v1", alg).slot(slot).number(org_key_version.into())
    }

    /// Of a version of a secret, under its data key. Says nothing of the organisation key's version, so that a
    /// rotation need not open the secret.
    pub(crate) fn secret(slot: &Slot, content: Content, alg: &str) -> Self {
        let layer = match content {
            Content::Key => "td-secret-v1",
            Content::Reference => "td-reference-v1",
        };
        Self::begin(layer, alg).slot(slot)
    }

    /// Of a version of a secret of the installation, under a version of the root key.
    pub(crate) fn installation(name: &str, version: u32, root: RootName<'_>, alg: &str) -> Self {
        Self::begin("td-installation-v1", alg).bytes(name.as_bytes()).number(version.into()).root(root)
    }

    /// Of the data key of a blob, under a version of the organisation's key.
    pub(crate) fn blob_key(org: OrgId, purpose: &str, org_key_version: u32, alg: &str) -> Self {
        Self::begin("td-blob-key-v1", alg)
            .bytes(org.uuid().as_bytes())
            .bytes(purpose.as_bytes())
            .number(org_key_version.into())
    }

    /// Of a blob, under its data key.
    pub(crate) fn blob(org: OrgId, purpose: &str, alg: &str) -> Self {
        Self::begin("td-blob-v1", alg).bytes(org.uuid().as_bytes()).bytes(purpose.as_bytes())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn begin(layer: &str, alg: &str) -> Self {
        Self(Vec::with_capacity(256)).bytes(layer.as_bytes()).bytes(alg.as_bytes())
    }

    fn slot(self, slot: &Slot) -> Self {
        self.bytes(slot.org.uuid().as_bytes())
            .bytes(slot.provider_key.uuid().as_bytes())
            .number(slot.version.into())
            .bytes(slot.provider.as_str().as_bytes())
            .bytes(slot.origin.as_bytes())
    }

    fn root(self, root: RootName<'_>) -> Self {
        self.bytes(root.id.as_bytes()).number(root.version.into())
    }

    fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    fn bytes(mut self, field: &[u8]) -> Self {
        self.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }
}

/// What is sealed in a provider key's slot. Neither can stand for the other: a customer's key that reads like a
/// reference is never followed, and a reference is never sent as a key.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// The key itself.
    Key,
    /// The text that says where the key is.
    Reference,
}

/// Which version of which root key.
#[derive(Clone, Copy)]
pub(crate) struct RootName<'a> {
    pub(crate) id: &'a str,
    pub(crate) version: u32,
}
