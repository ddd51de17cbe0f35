//! Small sealed texts that are not provider keys, such as a remembered answer that holds a new key's secret.
//!
//! Written as: format (1 byte), cipher's name (length byte, name), version of the organisation's key (4 bytes, big
//! end first), wrapped data key (60 bytes), ciphertext. Blobs are not re-wrapped: they are for what lives a day.

use topdog_domain::OrgId;

use crate::aad::AssociatedData;
use crate::cipher::{Cipher, Key};
use crate::envelope::to_key;
use crate::error::VaultError;
use crate::secret::SecretBytes;
use crate::vault::Vault;

const FORMAT: u8 = 1;
/// Nonce, key and tag.
const WRAPPED_KEY_LEN: usize = 12 + 32 + 16;
const WHAT: &str = "sealed text";

impl Vault {
    /// Seals bytes for an organisation and a purpose, such as one answer's; they open for the same two only, and
    /// for a day at least.
    ///
    /// # Errors
    /// [`VaultError::NoOrgKey`] or [`VaultError::Store`].
    pub async fn seal_blob(&self, org: OrgId, purpose: &str, bytes: &[u8]) -> Result<Vec<u8>, VaultError> {
        let cipher = self.0.cipher;
        let alg = cipher.name();
        let org_key = self.newest_org_key(org).await?;
        let data_key = Key::generate()?;
        let key_aad = AssociatedData::blob_key(org, purpose, org_key.version, alg);
        let wrapped = cipher.seal(&org_key.key, &key_aad, data_key.expose())?;
        let ciphertext = cipher.seal(&data_key, &AssociatedData::blob(org, purpose, alg), bytes)?;
        let alg_len = u8::try_from(alg.len()).map_err(|_| VaultError::CipherFailed)?;
        let version = org_key.version.to_be_bytes();
        Ok([&[FORMAT, alg_len], alg.as_bytes(), version.as_slice(), &wrapped, &ciphertext].concat())
    }

    /// Opens what [`seal_blob`](Self::seal_blob) made for the same organisation and purpose.
    ///
    /// # Errors
    /// [`VaultError::Tampered`]; [`VaultError::UnknownVersion`] where it is older than a day and its key is gone.
    pub async fn open_blob(
        &self,
        org: OrgId,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<SecretBytes, VaultError> {
        let parts = Parts::read(sealed).ok_or(VaultError::Tampered { what: WHAT })?;
        let cipher = Cipher::stored(parts.alg)?;
        let org_key = self.org_key(org, parts.org_key_version).await?;
        let key_aad = AssociatedData::blob_key(org, purpose, org_key.version, parts.alg);
        let data_key = to_key(&cipher.open(&org_key.key, &key_aad, parts.wrapped, WHAT)?, WHAT)?;
        let aad = AssociatedData::blob(org, purpose, parts.alg);
        cipher.open(&data_key, &aad, parts.ciphertext, WHAT)
    }
}

struct Parts<'a> {
    alg: &'a str,
    org_key_version: u32,
    wrapped: &'a [u8],
    ciphertext: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(sealed: &'a [u8]) -> Option<Self> {
        let ([FORMAT, alg_len], rest) = sealed.split_first_chunk::<2>()? else {
            return None;
        };
        let (alg, rest) = rest.split_at_checked(usize::from(*alg_len))?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (wrapped, ciphertext) = rest.split_at_checked(WRAPPED_KEY_LEN)?;
        Some(Self {
            alg: std::str::from_utf8(alg).ok()?,
            org_key_version: u32::from_be_bytes(*version),
            wrapped,
            ciphertext,
        })
    }
}
