//! What is shown in a key's place: an access token, where the key is one of a service account.

use std::sync::Arc;
use std::time::Duration;

use topdog_domain::Timestamp;
use topdog_domain::tenant::ProviderKey;

use crate::cache::{OpenedKey, after};
use crate::error::VaultError;
use crate::google::{ServiceAccount, Token};
use crate::open::Opening;
use crate::seal::Slot;
use crate::vault::Vault;

/// A token is asked for anew so long before it ends, since it may be under way for a while.
const MARGIN: Duration = Duration::from_secs(300);
/// Where that fails, it serves until so long before its end.
const LAST_MARGIN: Duration = Duration::from_secs(30);

impl Vault {
    /// What a provider that takes access tokens is shown for an opened key: a token, from memory until shortly before
    /// it ends, where the key is one of a service account; else the key itself, which is a token then. Many who ask for
    /// the same key at the same time ask for one token. It is forgotten with its key.
    ///
    /// # Errors
    /// [`VaultError::Reference`] where the token server does not give one.
    pub async fn token(
        &self,
        key: &ProviderKey,
        opened: Arc<OpenedKey>,
        now: Timestamp,
    ) -> Result<Arc<OpenedKey>, VaultError> {
        if let Some(token) = self.0.tokens.find_fresh(key, now) {
            return Ok(token);
        }
        let Some(account) = ServiceAccount::read(opened.expose()) else { return Ok(opened) };
        let asking = Box::pin(async {
            let began = self.0.tokens.begin_read();
            let server = self.0.references.token_server()?;
            let Token { secret, good_for } = server.token(&account, now).await?;
            let until = (
                after(now, good_for.saturating_sub(MARGIN)),
                after(now, good_for.saturating_sub(LAST_MARGIN)),
            );
            Ok((self.0.tokens.keep_until(Slot::from(key), secret, began, until), Opening::Fetched))
        });
        let (asked, _) = self.0.token_flights.join((key.id, key.version), key.org, asking).await;
        match asked {
            Ok((token, _)) if token.fits(key) => Ok(token),
            Ok(_) => Err(VaultError::Tampered { what: "secret's place" }),
            Err(error) if error.is_unreachable() => self.0.tokens.find_lapsed(key, now).ok_or(error),
            Err(error) => Err(error),
        }
    }
}
