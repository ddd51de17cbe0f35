/// Takes memory in pages of the usual size. The allocator asks for huge ones, of which each that is touched anywhere
/// counts whole: a node that has had much to do kept some 30 MiB more, and was no faster.
#[cfg(target_os = "linux")]
pub(super) fn take_small() {
    // Where it fails the node is larger, and nothing else.
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages can't be turned off");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn take_small() {}
