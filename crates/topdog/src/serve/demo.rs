use super::private_file;
use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use std::ffi::OsStr;
use std::fs::{DirBuilder, DirEntry};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use topdog_platform::ClientAddress;
use topdog_platform::api::IssuedApiKey;
use tower::ServiceExt as _;

/// The folder of a demo that was given none; it goes when the demo ends, or where that was killed, when the next begins.
pub(super) struct TemporaryDir {
    path: PathBuf,
    /// Locked for as long as the demo lives.
    _lock: OwnedFd,
}

impl TemporaryDir {
    /// Makes it. It must not be there yet: whoever made it could read the keys in it.
    pub(super) fn new() -> anyhow::Result<Self> {
        let place = std::env::temp_dir();
        clear_away_dead(&place);
        let path = place.join(format!("{PREFIX}{}", std::process::id()));
        let make = || {
            DirBuilder::new().mode(0o700).create(&path)?;
            // Another that begins now may have it for a moment, until it sees no mark.
            let lock = lock(&path, FlockOperation::LockExclusive)?;
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(&lock, MARK, flags, Mode::RUSR | Mode::WUSR)?;
            Ok::<_, io::Error>(lock)
        };
        let lock = make().with_context(|| {
            format!("the folder {} can't be made; name one with --data-dir", path.display())
        })?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        // The next demo clears it away.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

const PREFIX: &str = "topdog-demo-";

/// Tells a folder that a demo has made, and locked before, from one that a person has named so.
const MARK: &str = "temporary";

/// Removes the folders of this user's demos that live no longer: nobody holds their locks.
fn clear_away_dead(place: &Path) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        // What can't be removed stays: the demo does without.
        if is_named_so(&entry.file_name()) && is_own(&entry) && is_dead(&entry.path()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_named_so(name: &OsStr) -> bool {
    let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    process.is_some_and(|process| process.parse::<u32>().is_ok())
}

/// Is it a folder, not a link to one, of the user that this is?
fn is_own(entry: &DirEntry) -> bool {
    let owner = rustix::process::geteuid().as_raw();
    entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == owner)
}

/// Was it a demo's, which has ended?
fn is_dead(path: &Path) -> bool {
    lock(path, FlockOperation::NonBlockingLockExclusive)
        .and_then(|dir| Ok(rustix::fs::statat(&dir, MARK, AtFlags::SYMLINK_NOFOLLOW)?))
        .is_ok()
}

/// Locks a folder until what is given is dropped.
fn lock(path: &Path, operation: FlockOperation) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, Mode::empty())?;
    rustix::fs::flock(&dir, operation)?;
    Ok(dir)
}

/// Makes the organisation `demo` with a key for the test provider, through the API like everybody else; the
/// key of a former start where it is there.
pub(super) async fn prepare(api: &Router, operator_token: &str, data_dir: &Path) -> anyhow::Result<String> {
    let file = data_dir.join("demo.key");
    if let Some(key) = private_file::read(&file)? {
        return Ok(key);
    }
    let organisation = serde_json::json!({ "name": "demo", "tier": "PRO" });
    let (status, body) = post(api, operator_token, "/api/v1/organisations", &organisation).await?;
    ensure!(
        status == StatusCode::CREATED || status == StatusCode::CONFLICT,
        "the demo's organisation can't be made: {}",
        String::from_utf8_lossy(&body)
    );
    let key = serde_json::json!({ "name": "demo", "scopes": ["llm"], "mode": "test" });
    let (status, body) = post(api, operator_token, "/api/v1/organisations/demo/api-keys", &key).await?;
    ensure!(
        status == StatusCode::CREATED,
        "the demo's key can't be made; name a new folder with --data-dir: {}",
        String::from_utf8_lossy(&body)
    );
    let issued: IssuedApiKey = serde_json::from_slice(&body).context("the answer can't be understood")?;
    let secret = issued.secret.expose().to_owned();
    private_file::create(&file, &format!("{secret}\n"))?;
    Ok(secret)
}

async fn post(
    api: &Router,
    operator_token: &str,
    path: &str,
    body: &serde_json::Value,
) -> anyhow::Result<(StatusCode, bytes::Bytes)> {
    let mut request = Request::post(path)
        .header(AUTHORIZATION, format!("Bearer {operator_token}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))?;
    request.extensions_mut().insert(ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let response = api.clone().oneshot(request).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}
