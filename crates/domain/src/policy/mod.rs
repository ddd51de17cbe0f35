//! Policies: what an organisation says of its own requests, for all of them, for a workspace's or for a key's.
//!
//! [`document`] is how one is written, [`checked`] what it must be like, [`effective`] how those of several scopes
//! hold together, [`caps`] how much they let be used, [`caching`] what may be given again, [`pick`] what they make of a request, and [`explain`] the same with every step told.
//!
//! The law in short. A name that is asked for leads through aliases to a model: the narrowest scope's alias counts, and
//! its target is looked up in that scope and wider ones only, so that no key changes what its organisation's aliases
//! mean. Every scope's `deny` holds and every scope's `allow` must hold the model: a narrower scope can only take away.
//! They are asked of the model in the end, whatever it was called; a `deny` without a slash also of each name on the way.
//!
//! A route ([`route`]) says where the requests for a name go, and what is tried where that fails. Every target of it is
//! asked the same questions as the model itself; what it tries in which order is [`crate::routing`].

pub mod caching;
pub mod capped;
pub mod caps;
pub mod checked;
pub mod document;
pub mod effective;
pub mod explain;
mod pattern;
pub mod pick;
pub mod route;
pub mod route_document;
mod scope;

pub use caching::{CacheDocument, Caching};
pub use capped::{CapInForce, CapRefusal};
pub use caps::{Cap, CapDocument, CapPeriod, CapUnit, UnknownPrice};
pub use checked::{BadPolicy, Policy};
pub use document::PolicyDocument;
pub use effective::{EffectivePolicy, PolicyInForce};
pub use pattern::Pattern;
pub use pick::{Check, PolicyDenial, Step, Witness};
pub use route::{Route, RouteTarget, Routed};
pub use scope::PolicyScope;
