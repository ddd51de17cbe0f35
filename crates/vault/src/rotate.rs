//! Rotation, online: a new version first, then everything is re-wrapped under it step by step, then the old
//! version goes.
//!
//! Each step is bounded and changes one row at a time by compare-and-set, so it may be killed anywhere, run again
//! or run on several nodes. What is left to do is always read from the store, never remembered.

use std::sync::PoisonError;

use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{RewrapCount, WrappedOrgKey};
use topdog_domain::{OrgId, ProviderKeyId, Timestamp};

use crate::envelope::{OrgKey, rewrap_secret, unwrap_installation, wrap_installation, wrap_org_key};
use crate::error::VaultError;
use crate::installation::InstallationSecret;
use crate::root::RootKeyring;
use crate::vault::Vault;

/// The most rows of each kind that a step changes.
const STEP_ROWS: u32 = 100;

/// How long an organisation's old key version stays after the newest was made, if nothing stored needs it: what
/// was being sealed when the rotation began is kept by then, and sealed answers, which live a day, are gone.
const OLD_KEY_STAYS_SECONDS: i64 = 25 * 3600;

/// What a step has done and what is left.
#[derive(Debug, Clone, Default)]
pub struct RewrapProgress {
    /// Rows that this step re-wrapped, and old key versions that it destroyed.
    pub done: u64,
    /// What is left. 0 and 0: the rotation is complete.
    pub pending: RewrapCount,
    /// Rows that can't be re-wrapped, to be reported; they stay pending. Steps go on with the others.
    pub failed: Vec<RewrapFailure>,
}

/// A row that can't be re-wrapped.
#[derive(Debug, Clone)]
pub struct RewrapFailure {
    /// Whose; none for a secret of the installation.
    pub org: Option<OrgId>,
    /// Which provider key; none for an organisation's own key.
    pub provider_key: Option<ProviderKeyId>,
    /// Why.
    pub error: VaultError,
}

impl Vault {
    /// Begins the rotation of an organisation's key: makes a new version and gives its number. New seals use it
    /// from now on; [`rewrap_step`](Self::rewrap_step) does the rest. Its audit entry, with both versions, is kept with the
    /// new version or not at all.
    ///
    /// # Errors
    /// [`VaultError::NoOrgKey`] or [`VaultError::Store`].
    pub async fn rotate_org_key(
        &self,
        org: OrgId,
        now: Timestamp,
        audit: AuditDraft,
    ) -> Result<u32, VaultError> {
        let rows = self.0.org_keys.org_key_list(org).await?;
        let newest = rows.iter().map(|row| row.version).max().ok_or(VaultError::NoOrgKey)?;
        let version = newest.saturating_add(1);
        let audit = audit.with("version_before", newest).with("version", version);
        // Where somebody else made that version meanwhile, their rotation is this one, and so is its entry.
        self.add_org_key(org, version, now, Some(&audit)).await?;
        Ok(version)
    }

    /// Begins the rotation of the root key, where it is in a file: adds a version and gives its number. With more
    /// nodes than this one, the file must reach them before they meet what is wrapped by it.
    ///
    /// # Errors
    /// [`VaultError::RootNotInFile`] or [`VaultError::RootFile`].
    pub fn rotate_root(&self) -> Result<u32, VaultError> {
        let root = self.root();
        let version = RootKeyring::add_version(root.path().ok_or(VaultError::RootNotInFile)?)?;
        self.reload_root()?;
        Ok(version)
    }

    /// The newest version of the root key that this node knows.
    #[must_use]
    pub fn root_version(&self) -> u32 {
        self.root().newest_version()
    }

    /// What rotations have still before them.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub async fn pending(&self) -> Result<RewrapCount, VaultError> {
        let root = self.root();
        let pending = self.0.org_keys.rewrap_pending(root.id(), root.newest_version()).await?;
        Ok(pending)
    }

    /// Does a bounded piece of the rotations that are under way.
    ///
    /// # Errors
    /// [`VaultError::Store`] where the store fails, or what [`reload_root`](Self::reload_root) finds: nothing is
    /// half done, call again.
    pub async fn rewrap_step(&self, now: Timestamp) -> Result<RewrapProgress, VaultError> {
        let mut progress = RewrapProgress::default();
        if self.root().path().is_some() {
            // A version may have been added from the command line, or by another node that shares the file.
            self.reload_root()?;
        }
        let root = self.root();
        self.rewrap_org_keys(&root, &mut progress).await?;
        self.rewrap_installation(&root, &mut progress).await?;
        self.rewrap_data_keys(now, &mut progress).await?;
        progress.pending = self.pending().await?;
        Ok(progress)
    }

    async fn rewrap_org_keys(
        &self,
        root: &RootKeyring,
        progress: &mut RewrapProgress,
    ) -> Result<(), VaultError> {
        let keys = &self.0.org_keys;
        let rows = keys.org_key_list_stale(root.id(), root.newest_version(), STEP_ROWS).await?;
        for old in rows {
            let rewrapped = is_not_ahead(root, &old.root_id, old.root_version).and_then(|()| {
                let key = self.unwrap(old.org, &old)?;
                wrap_org_key(root, self.0.cipher, old.org, &key, old.created_at)
            });
            match rewrapped {
                Ok(new) => progress.done += u64::from(keys.org_key_rewrap(&old, &new).await?),
                Err(error) => progress.fail(Some(old.org), None, error),
            }
        }
        Ok(())
    }

    async fn rewrap_installation(
        &self,
        root: &RootKeyring,
        progress: &mut RewrapProgress,
    ) -> Result<(), VaultError> {
        for secret in InstallationSecret::ALL {
            let name = secret.name();
            for old in self.0.installation.root_wrapped_list(name).await? {
                if (old.root_id.as_str(), old.root_version) == (root.id(), root.newest_version()) {
                    continue;
                }
                let rewrapped = is_not_ahead(root, &old.root_id, old.root_version).and_then(|()| {
                    let plaintext = unwrap_installation(root, name, &old)?;
                    wrap_installation(root, self.0.cipher, name, old.version, plaintext.expose())
                });
                match rewrapped {
                    Ok(new) => {
                        self.0.installation.root_wrapped_put(&new).await?;
                        progress.done += 1;
                    }
                    Err(error) => progress.fail(None, None, error),
                }
            }
        }
        Ok(())
    }

    /// Visits the next organisations that have more than one version of their key.
    async fn rewrap_data_keys(
        &self,
        now: Timestamp,
        progress: &mut RewrapProgress,
    ) -> Result<(), VaultError> {
        let after = *self.cursor();
        let page = self.0.org_keys.org_key_list_superseded(after, STEP_ROWS).await?;
        let is_last_page = page.len() < STEP_ROWS as usize;
        let mut rows_left = STEP_ROWS;
        for org in page {
            match self.rewrap_org(org, rows_left, now, progress).await? {
                Visit::Finished { rows } => rows_left = rows_left.saturating_sub(rows),
                // The next step begins at this organisation again.
                Visit::Unfinished => return Ok(()),
            }
            *self.cursor() = Some(org);
        }
        if is_last_page {
            *self.cursor() = None;
        }
        Ok(())
    }

    async fn rewrap_org(
        &self,
        org: OrgId,
        rows_left: u32,
        now: Timestamp,
        progress: &mut RewrapProgress,
    ) -> Result<Visit, VaultError> {
        let versions = self.0.org_keys.org_key_list(org).await?;
        let Some(newest) = versions.iter().max_by_key(|row| row.version) else {
            return Ok(Visit::Finished { rows: 0 });
        };
        let new_key = match self.unwrap(org, newest) {
            Ok(key) => key,
            Err(error) => {
                progress.fail(Some(org), None, error);
                return Ok(Visit::Finished { rows: 0 });
            }
        };
        let stale = self.0.secrets.secret_list_stale(org, newest.version, rows_left).await?;
        let rows = u32::try_from(stale.len()).unwrap_or(u32::MAX);
        let failed_before = progress.failed.len();
        for old in &stale {
            // A row ahead of us is another node's newer rotation; it is not wrapped back.
            if old.org_key_version > newest.version {
                continue;
            }
            let rewrapped = self
                .find_version(org, &versions, old.org_key_version)
                .and_then(|old_key| rewrap_secret(&old_key, &new_key, old));
            match rewrapped {
                Ok(new) => progress.done += u64::from(self.0.secrets.secret_rewrap(old, &new).await?),
                Err(error) => progress.fail(Some(org), Some(old.provider_key), error),
            }
        }
        if rows == 0 && newest.created_at.plus_seconds(OLD_KEY_STAYS_SECONDS) <= now {
            progress.done += self.0.org_keys.org_key_prune(org, newest.version).await?;
        }
        // Rows that fail come again at the head of the list: they must not keep the others waiting for ever.
        let may_have_more = rows >= rows_left && progress.failed.len() == failed_before;
        Ok(if may_have_more { Visit::Unfinished } else { Visit::Finished { rows } })
    }

    fn find_version(
        &self,
        org: OrgId,
        versions: &[WrappedOrgKey],
        wanted: u32,
    ) -> Result<OrgKey, VaultError> {
        let row = versions.iter().find(|row| row.version == wanted);
        self.unwrap(org, row.ok_or(VaultError::UnknownVersion(wanted))?)
    }

    fn cursor(&self) -> std::sync::MutexGuard<'_, Option<OrgId>> {
        self.0.rotation_cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Visit {
    Finished { rows: u32 },
    Unfinished,
}

impl RewrapProgress {
    fn fail(&mut self, org: Option<OrgId>, provider_key: Option<ProviderKeyId>, error: VaultError) {
        tracing::error!(?org, ?provider_key, %error, "a stored key can't be re-wrapped");
        self.failed.push(RewrapFailure { org, provider_key, error });
    }
}

/// Refuses a row that is wrapped by a newer root key version than this node's newest: wrapping it back would undo
/// another node's rotation.
fn is_not_ahead(root: &RootKeyring, id: &str, version: u32) -> Result<(), VaultError> {
    if id == root.id() && version <= root.newest_version() {
        return Ok(());
    }
    Err(VaultError::UnknownRoot { id: id.to_owned(), version })
}
