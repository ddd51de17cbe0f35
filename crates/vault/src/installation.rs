//! Secrets of the installation itself, wrapped by the root key.

use topdog_domain::ports::PortError;

use crate::cipher::Key;
use crate::envelope::{unwrap_installation, wrap_installation};
use crate::error::VaultError;
use crate::secret::SecretBytes;
use crate::vault::Vault;

/// Which secret of the installation; all of them, so that a root rotation finds them.
#[derive(Clone, Copy)]
pub(crate) enum InstallationSecret {
    /// What Top Dog API keys are hashed with.
    ApiKeyPepper,
}

impl InstallationSecret {
    pub(crate) const ALL: [Self; 1] = [Self::ApiKeyPepper];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ApiKeyPepper => "api-key-pepper",
        }
    }
}

impl Vault {
    /// All versions of a secret of the installation, newest first; the first is made where there is none.
    pub(crate) async fn installation_secret(
        &self,
        secret: InstallationSecret,
    ) -> Result<Vec<(u32, SecretBytes)>, VaultError> {
        let name = secret.name();
        let mut rows = self.0.installation.root_wrapped_list(name).await?;
        if rows.is_empty() {
            let fresh = wrap_installation(&self.root(), self.0.cipher, name, 1, Key::generate()?.expose())?;
            match self.0.installation.root_wrapped_add(&fresh).await {
                // Where another node was faster, its secret is everybody's.
                Ok(()) | Err(PortError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
            rows = self.0.installation.root_wrapped_list(name).await?;
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.version));
        rows.iter()
            .map(|row| Ok((row.version, self.with_root(|root| unwrap_installation(root, name, row))?)))
            .collect()
    }
}
