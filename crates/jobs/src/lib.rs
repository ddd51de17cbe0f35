//! What runs later or can't be trusted: workers and the sandbox.
//!
//! Each worker is one plain async function that runs until it is told to [`Stop`], on any number of nodes at
//! the same time: whatever one does may be done twice.
//!
//! | worker | does | when |
//! |---|---|---|
//! | [`ship`] | takes records out of the node's spool into the database | within 250 ms of a record |
//! | [`Follower`] | brings changes of tenants and tiers into the node's directory | at once, or each second |
//! | [`retain`] | deletes what is kept no longer | each hour |
//! | [`rewrap`] | carries key rotations on | at once, or each minute, and in steps while one is under way |

mod follow;
mod pause;
mod retain;
mod rewrap;
mod ship;
mod stop;

pub use follow::{Follower, Following, Freshness};
pub use retain::{Retention, retain};
pub use rewrap::{PendingRewraps, Rewrapping, rewrap};
pub use ship::ship;
pub use stop::{Stop, Stopper};
