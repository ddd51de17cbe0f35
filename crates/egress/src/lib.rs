//! The only way out: one guarded HTTP client for every target that a customer can influence.
//!
//! A target passes four gates, in this order, and each later one trusts nothing of the earlier:
//!
//! 1. [`EgressPolicy::check_url`] reads the URL as browsers do and refuses what can be refused from its
//!    text alone: scheme, user name, port, name, address literal;
//! 2. the [`Resolve`]r's answers are checked one by one, and one forbidden answer refuses them all;
//! 3. [`Egress::connect`] connects to a checked *address*, so a second, different DNS answer has no effect;
//! 4. the connected peer is checked again before a byte is sent.
//!
//! Redirects are never followed, proxies of the environment never used. Two callers sit on top: [`Pool`]
//! for the data plane (one a thread, connections reused) and [`Client`] for everything else (one connection
//! a request, answer size and time capped).

mod address;
mod body;
mod client;
mod connect;
mod deadline;
mod error;
mod h1;
mod origin;
mod policy;
mod pool;
mod resolve;
mod shelf;
mod tls;
mod upstream;

pub use body::{BoxError, RequestBody};
pub use client::{AnswerLimits, Client};
pub use connect::{Connection, Egress, EgressSettings};
pub use deadline::Deadline;
pub use error::{BodyError, EgressError, Forbidden, Lost, SendError, UrlFault};
#[doc(hidden)]
pub use h1::fuzzing;
pub use ipnet::IpNet;
pub use origin::{BaseUrl, Origin, Scheme};
pub use policy::{AllowRule, EgressPolicy};
pub use pool::{Pool, PoolSettings};
pub use resolve::{Resolve, SystemResolver};
pub use tls::roots_from_pem;
pub use upstream::UpstreamBody;
