//! The layers themselves, without any store: what wraps what, and what each is bound to.

use topdog_domain::ports::{SealedSecret, WrappedOrgKey, WrappedRoot};
use topdog_domain::{OrgId, Timestamp};

use crate::aad::{AssociatedData, Content, RootName};
use crate::cipher::{Cipher, Key};
use crate::error::VaultError;
use crate::root::RootKeyring;
use crate::seal::Slot;
use crate::secret::{SecretBytes, SecretText};

/// A version of an organisation's key in the clear.
pub(crate) struct OrgKey {
    pub(crate) version: u32,
    pub(crate) key: Key,
}

/// Wraps an organisation's key by the newest version of the root key.
pub(crate) fn wrap_org_key(
    root: &RootKeyring,
    cipher: Cipher,
    org: OrgId,
    org_key: &OrgKey,
    created_at: Timestamp,
) -> Result<WrappedOrgKey, VaultError> {
    let (name, root_key) = root.newest();
    let aad = AssociatedData::org_key(org, org_key.version, created_at.micros(), name, cipher.name());
    Ok(WrappedOrgKey {
        org,
        version: org_key.version,
        root_id: name.id.to_owned(),
        root_version: name.version,
        alg: cipher.name().to_owned(),
        wrapped: cipher.seal(root_key, &aad, org_key.key.expose())?,
        created_at,
    })
}

/// Opens a row that was read as one of `org`.
pub(crate) fn unwrap_org_key(
    root: &RootKeyring,
    org: OrgId,
    row: &WrappedOrgKey,
) -> Result<OrgKey, VaultError> {
    const WHAT: &str = "organisation key";
    let cipher = Cipher::stored(&row.alg)?;
    let root_key = root.find(&row.root_id, row.root_version)?;
    let name = RootName { id: &row.root_id, version: row.root_version };
    let aad = AssociatedData::org_key(org, row.version, row.created_at.micros(), name, &row.alg);
    let key = cipher.open(root_key, &aad, &row.wrapped, WHAT)?;
    Ok(OrgKey { version: row.version, key: to_key(&key, WHAT)? })
}

/// Seals a provider key, or where it is, by a fresh data key, and that by the organisation's.
pub(crate) fn seal_secret(
    cipher: Cipher,
    org_key: &OrgKey,
    slot: &Slot,
    content: Content,
    plaintext: &str,
) -> Result<SealedSecret, VaultError> {
    let alg = cipher.name();
    let data_key = Key::generate()?;
    let key_aad = AssociatedData::data_key(slot, org_key.version, alg);
    let secret_aad = AssociatedData::secret(slot, content, alg);
    Ok(SealedSecret {
        org: slot.org,
        provider_key: slot.provider_key,
        version: slot.version,
        provider: slot.provider.clone(),
        origin: slot.origin.clone(),
        org_key_version: org_key.version,
        alg: alg.to_owned(),
        wrapped_data_key: cipher.seal(&org_key.key, &key_aad, data_key.expose())?,
        ciphertext: cipher.seal(&data_key, &secret_aad, plaintext.as_bytes())?,
    })
}

/// Opens a row that must be the one of `slot`.
pub(crate) fn open_secret(
    org_key: &OrgKey,
    slot: &Slot,
    content: Content,
    row: &SealedSecret,
) -> Result<SecretText, VaultError> {
    if Slot::of_row(row) != *slot {
        return Err(VaultError::Tampered { what: "secret's place" });
    }
    let cipher = Cipher::stored(&row.alg)?;
    let data_key = open_data_key(cipher, org_key, slot, row)?;
    let aad = AssociatedData::secret(slot, content, &row.alg);
    cipher
        .open(&data_key, &aad, &row.ciphertext, "secret")?
        .into_text()
        .ok_or(VaultError::Tampered { what: "secret" })
}

/// The same row with its data key under another version of the organisation's key; the secret is not opened.
pub(crate) fn rewrap_secret(
    old: &OrgKey,
    new: &OrgKey,
    row: &SealedSecret,
) -> Result<SealedSecret, VaultError> {
    let cipher = Cipher::stored(&row.alg)?;
    let slot = Slot::of_row(row);
    let data_key = open_data_key(cipher, old, &slot, row)?;
    let aad = AssociatedData::data_key(&slot, new.version, &row.alg);
    Ok(SealedSecret {
        org_key_version: new.version,
        wrapped_data_key: cipher.seal(&new.key, &aad, data_key.expose())?,
        ..row.clone()
    })
}

fn open_data_key(
    cipher: Cipher,
    org_key: &OrgKey,
    slot: &Slot,
    row: &SealedSecret,
) -> Result<Key, VaultError> {
    const WHAT: &str = "data key";
    let aad = AssociatedData::data_key(slot, org_key.version, &row.alg);
    to_key(&cipher.open(&org_key.key, &aad, &row.wrapped_data_key, WHAT)?, WHAT)
}

/// Wraps a secret of the installation by the newest version of the root key.
pub(crate) fn wrap_installation(
    root: &RootKeyring,
    cipher: Cipher,
    name: &str,
    version: u32,
    plaintext: &[u8],
) -> Result<WrappedRoot, VaultError> {
    let (root_name, root_key) = root.newest();
    let aad = AssociatedData::installation(name, version, root_name, cipher.name());
    Ok(WrappedRoot {
        name: name.to_owned(),
        version,
        root_id: root_name.id.to_owned(),
        root_version: root_name.version,
        alg: cipher.name().to_owned(),
        wrapped: cipher.seal(root_key, &aad, plaintext)?,
    })
}

/// Opens a row that was read under `name`.
pub(crate) fn unwrap_installation(
    root: &RootKeyring,
    name: &str,
    row: &WrappedRoot,
) -> Result<SecretBytes, VaultError> {
    let cipher = Cipher::stored(&row.alg)?;
    let root_key = root.find(&row.root_id, row.root_version)?;
    let root_name = RootName { id: &row.root_id, version: row.root_version };
    let aad = AssociatedData::installation(name, row.version, root_name, &row.alg);
    cipher.open(root_key, &aad, &row.wrapped, "installation secret")
}

pub(crate) fn to_key(bytes: &SecretBytes, what: &'static str) -> Result<Key, VaultError> {
    Key::from_slice(bytes.expose()).ok_or(VaultError::Tampered { what })
}
