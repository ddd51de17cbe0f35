use super::checked::{Bad, Checked, number, one_of};
use super::raw;
use super::reference::Reference;
use std::path::Path;
use std::time::Duration;

/// The database, and how long this node does without it.
#[derive(Debug, Clone)]
pub(crate) struct StoreConfig {
    /// Where it is.
    pub(crate) url: StoreUrl,
    /// This node's connections to it.
    pub(crate) max_connections: u32,
    /// Is there a pooler before it that keeps a connection for a transaction only?
    pub(crate) is_behind_pooler: bool,
    /// How long the node may hear of no changes before regulated requests are refused.
    pub(crate) stale_after: Duration,
}

/// The database's URL, or where it is kept.
#[derive(Debug, Clone)]
pub(crate) enum StoreUrl {
    /// A path or URL without a password.
    Plain(String),
    /// A URL that may hold one.
    Secret(Reference),
}

pub(super) fn check(raw: &raw::Store, data_dir: &Path) -> Checked<StoreConfig> {
    // Changes are asked for every half second, so less would refuse requests of nodes in touch.
    let stale_after = number("store.stale_after_seconds", raw.stale_after_seconds, 2)?;
    Ok(StoreConfig {
        url: url(raw, data_dir)?,
        max_connections: number("store.max_connections", raw.max_connections, 2)?,
        is_behind_pooler: one_of("store.pooler", &raw.pooler, &[("none", false), ("transaction", true)])?,
        stale_after: Duration::from_secs(stale_after),
    })
}

fn url(raw: &raw::Store, data_dir: &Path) -> Checked<StoreUrl> {
    if raw.url.is_empty() {
        let path = data_dir.join("topdog.db");
        return Ok(StoreUrl::Plain(path.to_string_lossy().into_owned()));
    }
    if let Some(reference) = Reference::parse(&raw.url) {
        return Ok(StoreUrl::Secret(reference));
    }
    let authority = raw.url.split_once("://").map_or("", |(_, rest)| rest);
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') {
        return Err(Bad::new(
            "store.url",
            "holds a password; give the URL by reference, env:NAME or file:PATH",
        ));
    }
    Ok(StoreUrl::Plain(raw.url.clone()))
}
