//! Top Dog API keys: how a token is made, and how a presented one is compared with what is kept of it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use topdog_domain::api_key::{
    ApiKey, BASE62, KeyMode, KeySecret, PUBLIC_ID_LEN, PublicId, SECRET_LEN, TOKEN_LEN, Token, checksum,
};
use zeroize::Zeroizing;

use crate::error::VaultError;
use crate::installation::InstallationSecret;
use crate::secret::SecretText;
use crate::vault::Vault;

/// Hashes tokens with the installation's pepper: who has the database alone can test no guess.
pub struct KeyHasher {
    newest: (u32, hmac::Key),
    older: Vec<(u32, hmac::Key)>,
}

/// A token that was just made; its secret is shown once and kept nowhere.
pub struct IssuedToken {
    /// The whole token.
    pub token: SecretText,
    /// What it is looked up by.
    pub public_id: PublicId,
}

impl KeyHasher {
    /// Loads the peppers; makes the first one where there is none yet.
    ///
    /// # Errors
    /// [`VaultError::Store`]; [`VaultError::UnknownRoot`] or [`VaultError::Tampered`] where a pepper does not open.
    pub async fn load_or_create(vault: &Vault) -> Result<Self, VaultError> {
        let peppers = vault.installation_secret(InstallationSecret::ApiKeyPepper).await?;
        let mut keys = peppers
            .iter()
            .map(|(version, pepper)| (*version, hmac::Key::new(hmac::HMAC_SHA256, pepper.expose())));
        let newest = keys.next().ok_or(VaultError::NoSecret)?;
        Ok(Self { newest, older: keys.collect() })
    }

    /// What is kept of a token of that key: the HMAC-SHA-256 of whose it is and of itself, and the version of the
    /// pepper.
    #[must_use]
    pub fn hash(&self, token: &Token<'_>, key: &ApiKey) -> ([u8; 32], u32) {
        let (version, pepper) = &self.newest;
        let tag = tag(pepper, token, key);
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        (hash, *version)
    }

    /// Is this the token that the secret was made for, in that very key of that very organisation? A row that was
    /// moved to another verifies no token. Takes as long for a wrong one as for the right one.
    #[must_use]
    pub fn verify(&self, token: &Token<'_>, key: &ApiKey, secret: &KeySecret) -> bool {
        let pepper = std::iter::once(&self.newest)
            .chain(&self.older)
            .find_map(|(version, pepper)| (*version == secret.pepper_version).then_some(pepper));
        pepper.is_some_and(|pepper| {
            verify_slices_are_equal(tag(pepper, token, key).as_ref(), &secret.hash).is_ok()
        })
    }

    /// What tells one text from another and nothing of it without the pepper, not even whether a guess is right. The
    /// purpose keeps it apart from what other texts, and tokens, have.
    #[must_use]
    pub fn fingerprint(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        // A tag's first part has the 16 bytes of an organisation; this one is longer than any id.
        let purpose = format!("topdog fingerprint of {purpose}");
        let mut context = hmac::Context::with_key(&self.newest.1);
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        hash
    }

    /// Makes a new token, with 256 bits of the operating system's randomness.
    ///
    /// # Errors
    /// [`VaultError::NoRandomness`].
    pub fn issue(&self, mode: KeyMode) -> Result<IssuedToken, VaultError> {
        let public_id = Zeroizing::new(random_base62(PUBLIC_ID_LEN)?);
        let secret = Zeroizing::new(random_base62(SECRET_LEN)?);
        let mut token = String::with_capacity(TOKEN_LEN);
        token.push_str(mode.prefix());
        token.push_str(&public_id);
        token.push_str(&secret);
        let sum = checksum(&token);
        token.extend(sum.iter().copied().map(char::from));
        Ok(IssuedToken {
            token: SecretText::new(token),
            public_id: PublicId::parse(&public_id).ok_or(VaultError::CipherFailed)?,
        })
    }
}

/// Over organisation, key and token, each with its length before it: no two of them read alike.
fn tag(pepper: &hmac::Key, token: &Token<'_>, key: &ApiKey) -> hmac::Tag {
    let mut context = hmac::Context::with_key(pepper);
    let (org, id) = (key.org.uuid(), key.id.uuid());
    for part in [org.as_bytes().as_slice(), id.as_bytes().as_slice(), token.expose().as_bytes()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.sign()
}

/// So many base-62 digits, each as likely as any other.
fn random_base62(len: usize) -> Result<String, VaultError> {
    // The largest multiple of 62 in a byte: what is above would make some digits likelier.
    const FAIR: u8 = 248;
    let mut digits = String::with_capacity(len);
    let mut pool = Zeroizing::new([0_u8; 64]);
    while digits.len() < len {
        rand::fill(pool.as_mut_slice()).map_err(|_| VaultError::NoRandomness)?;
        let fair = pool.iter().filter(|byte| **byte < FAIR);
        let drawn = fair.filter_map(|byte| BASE62.get(usize::from(*byte % 62)));
        digits.extend(drawn.copied().map(char::from).take(len - digits.len()));
    }
    Ok(digits)
}
