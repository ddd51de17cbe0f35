//! The authenticated ciphers, by the names that are stored beside what they sealed.

use aws_lc_rs::aead::{
    AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use aws_lc_rs::rand;
use zeroize::{Zeroize, Zeroizing};

use crate::aad::AssociatedData;
use crate::error::VaultError;
use crate::secret::SecretBytes;

/// An authenticated cipher with 256-bit keys. What is sealed says which, so a change is for new seals only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cipher {
    /// AES-256-GCM-SIV (RFC 8452): a nonce that comes twice tells only that two plaintexts are equal, which
    /// matters where machines are restored from snapshots.
    #[default]
    Aes256GcmSiv,
    /// AES-256-GCM (NIST SP 800-38D), where FIPS 140-3 is asked for.
    Aes256Gcm,
}

impl Cipher {
    /// The stored name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes256GcmSiv => "aes-256-gcm-siv",
            Self::Aes256Gcm => "aes-256-gcm",
        }
    }

    /// The cipher with that stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Aes256GcmSiv, Self::Aes256Gcm].into_iter().find(|cipher| cipher.name() == name)
    }

    pub(crate) fn stored(name: &str) -> Result<Self, VaultError> {
        Self::from_name(name).ok_or(VaultError::UnknownCipher)
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes256GcmSiv => &AES_256_GCM_SIV,
            Self::Aes256Gcm => &AES_256_GCM,
        }
    }

    /// Nonce, ciphertext and tag; the nonce is random.
    pub(crate) fn seal(
        self,
        key: &Key,
        aad: &AssociatedData,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| VaultError::NoRandomness)?;
        self.seal_with(key, nonce, aad.as_bytes(), plaintext)
    }

    pub(crate) fn seal_with(
        self,
        key: &Key,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let mut in_out = Zeroizing::new(Vec::with_capacity(plaintext.len()));
        in_out.extend_from_slice(plaintext);
        let tag = self
            .bind(key)?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut in_out)
            .map_err(|_| VaultError::CipherFailed)?;
        Ok([nonce.as_slice(), &in_out, tag.as_ref()].concat())
    }

    /// The plaintext, where nothing was changed; `what` is named in the error.
    pub(crate) fn open(
        self,
        key: &Key,
        aad: &AssociatedData,
        sealed: &[u8],
        what: &'static str,
    ) -> Result<SecretBytes, VaultError> {
        self.open_with(key, aad.as_bytes(), sealed).ok_or(VaultError::Tampered { what })
    }

    pub(crate) fn open_with(self, key: &Key, aad: &[u8], sealed: &[u8]) -> Option<SecretBytes> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut in_out = ciphertext.to_vec();
        let opened = self
            .bind(key)
            .ok()?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut in_out)
            .map(|plaintext| plaintext.len());
        match opened {
            Ok(len) => {
                in_out.truncate(len);
                Some(SecretBytes::new(in_out))
            }
            Err(_) => {
                in_out.zeroize();
                None
            }
        }
    }

    fn bind(self, key: &Key) -> Result<LessSafeKey, VaultError> {
        UnboundKey::new(self.algorithm(), key.0.as_slice())
            .map(LessSafeKey::new)
            .map_err(|_| VaultError::CipherFailed)
    }
}

/// A 256-bit key of any layer; wiped when dropped, shown by nothing.
pub(crate) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// A fresh one.
    pub(crate) fn generate() -> Result<Self, VaultError> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(key.as_mut_slice()).map_err(|_| VaultError::NoRandomness)?;
        Ok(Self(key))
    }

    /// The key with these bytes; none where they are not 32.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        Some(Self(Zeroizing::new(*bytes)))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
