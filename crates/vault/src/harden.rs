//! What keeps plaintext in memory from leaving with the process's own help.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// The operating system refused one of the measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system refused to turn core dumps off; check its security modules")]
pub struct HardenError;

/// Turns core dumps off, and attaching by other processes of the same user with them. To be called first thing.
///
/// # Errors
/// Where the operating system refuses.
pub fn harden_process() -> Result<(), HardenError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|_| HardenError)?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // A child must not be able to raise it again.
    if getrlimit(Resource::Core) != none {
        setrlimit(Resource::Core, none).map_err(|_| HardenError)?;
    }
    Ok(())
}
