use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as many file handles as the system allows this process, and warns where that is too few: a streamed
/// answer takes two (an upload that stalls one more, which it can do without), and without handles nobody can connect.
pub(super) fn raise_limit(max_connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_err() {
        tracing::warn!("the limit of open files can't be raised");
    }
    let needed = 2 * max_connections as u64 + OWN_FILES;
    if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|allowed| *allowed < needed) {
        tracing::warn!(
            allowed,
            needed,
            "fewer files may be open than server.max_connections needs; raise the limit (LimitNOFILE, ulimit -n) \
             or lower the setting"
        );
    }
}

/// The database, the spool, the listeners.
const OWN_FILES: u64 = 128;
