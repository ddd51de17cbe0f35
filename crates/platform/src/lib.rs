//! What customers and operators manage: REST API, sessions, SSO, teams, workspaces, webhooks, support.
//!
//! So far that is the REST API, `/api/v1`. A request passes `edge` (request id, problems, what every answer has),
//! then its route's extractors, which say by their types who may come in (`authority`) and what is taken
//! (`body`, `params`, `idempotency`), and then a handler in `routes`, which looks up, asks `domain` for the
//! rule, tells a port to do it with its audit entry, and makes the change known to this node before it answers.
//!
//! `routes::all` is the one table: the router and the OpenAPI document ([`openapi`]) are both made of it.
//! [`api`] has the bodies, for clients too.

pub mod api;
mod authenticate;
mod authority;
mod body;
mod checks;
mod describe;
mod edge;
mod idempotency;
mod malformed;
mod openapi;
mod pages;
mod params;
mod platform;
mod problem;
mod routes;
mod table;
mod target;
#[cfg(test)]
mod tests;

pub use authenticate::{OPERATOR_TOKEN_PREFIX, operator_token_hash};
pub use edge::ClientAddress;
pub use openapi::document as openapi;
pub use platform::{Platform, PlatformParts};
pub use target::ProviderPlace;
