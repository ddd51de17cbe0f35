use crate::config::{Environment, Reference, RootKeySource};
use anyhow::{Context as _, bail};
use topdog_domain::ports::InstallationSecrets;
use topdog_vault::RootKeyring;

/// The root key. It is made only for an installation that has sealed nothing yet: a second one beside data of
/// the first would only hide that the first is lost.
pub(super) async fn load_or_create(
    source: &RootKeySource,
    environment: &Environment,
    sealed: &dyn InstallationSecrets,
) -> anyhow::Result<RootKeyring> {
    match source {
        RootKeySource::Given(Reference::File(path)) => RootKeyring::read(path)
            .with_context(|| format!("vault.root_key names {}, which gives no root key", path.display())),
        RootKeySource::Given(reference @ Reference::Variable(_)) => {
            tracing::warn!("the root key is in the environment, which is for development; keep it in a file");
            let text = reference.resolve(environment).context("vault.root_key")?;
            RootKeyring::from_text(&text).context("vault.root_key")
        }
        RootKeySource::DataDir(path) if path.exists() => Ok(RootKeyring::read(path)?),
        RootKeySource::DataDir(path) => {
            if !sealed.root_wrapped_list(PEPPER).await?.is_empty() {
                bail!(
                    "the root key {} is missing, and the database was sealed with it; bring it back, or say with \
                     vault.root_key where it is now",
                    path.display()
                );
            }
            let root = RootKeyring::generate(path)?;
            tracing::warn!(
                path = %path.display(),
                "a root key was made; move it to a secret store and name its place with vault.root_key: whoever \
                 has it and the database has every provider key, and without it they are lost"
            );
            Ok(root)
        }
    }
}

/// What every installation seals first.
const PEPPER: &str = "api-key-pepper";
