//! The journey of a model request, one file a step.
//!
//! Each step takes what the one before made, so that none can be skipped or done twice; [`journey`] calls
//! them in order.
//!
//! 1. **arrive** (`arrive.rs`, `wanted.rs`, `client_ip.rs`): request id, labels, what is asked for, from where. The body
//!    is not read yet: a stranger
//!    can't make us hold one.
//! 2. **authenticate** (`authenticate.rs`): the Top Dog key is found by its public id in the directory and its
//!    keyed hash compared in constant time. No database is asked, also not for an unknown key.
//! 3. **entitle** (`entitle.rs`): a place among the requests under way is taken (`share.rs`), before any byte of the
//!    body; the body is read (`read_body.rs`) within the organisation's share of memory and checked, the model
//!    resolved; tier, scope, and the key's own bounds. Where the model's provider speaks another dialect, the body is
//!    translated (`translation/`), or refused with the field that can't be. Of the two
//!    counts only the API call is taken by now (`journey.rs`), and what the tier refuses here gives it back.
//!    Where a policy has caching, an answer that is kept may be given here, and none is asked for (`cache.rs`).
//! 4. **reserve** (`reserve.rs`): one LLM request beside the API call, from memory as long as the lease lasts, and what
//!    it may use of the customer's own caps (`caps.rs`); all or nothing. From here on the [`reserve::Reservation`]
//!    settles itself, whatever happens.
//! 5. **open** (`open_key.rs`): the newest version of the provider key, from the cache or the vault. The
//!    plaintext is not copied here; only step 6 reads it. In regulated segments the audit entry is on the disk
//!    before the key is used.
//! 6. **forward** (`forward/`): model and key are spliced in, the rest goes through as it came; a short plain answer
//!    is held until it is whole, and a translated one told in the caller's dialect. Nothing is retried once a byte may have left,
//!    unless a policy's route says so: then `attempts/` does steps 5 and 6. The client's leaving drops everything,
//!    and that cancels the upstream; so does the end of a stopping node's patience (`cutoff.rs`), which is told.
//! 7. **settle** (`settle.rs`): exactly once, at the end of the answer or at its drop: tokens as the provider
//!    told them, else an estimate marked so; a request that no provider accepted gives its LLM request back.
//! 8. **record** (`record.rs`): one frame into the spool. The client waits for it in regulated segments only.
//!
//! `answer.rs` is the one table from every refusal to what the caller sees. `edge/` accepts connections.

mod addressed;
mod answer;
mod arrive;
mod attempts;
mod authenticate;
mod cache;
mod caps;
mod client_ip;
mod config;
mod cutoff;
mod edge;
mod entitle;
mod forward;
mod guard;
mod identity;
mod journey;
mod metrics;
mod models;
mod open_key;
mod passthrough;
mod read_body;
mod record;
mod reserve;
mod routes;
mod settle;
mod share;
mod test_provider;
mod translation;
mod wanted;
mod worker;

pub use answer::{AnswerBody, BodyBroken, ControlBody};
pub use config::{GatewayConfig, GatewayParts, OccupancyLimits, ProviderConfig};
#[cfg(feature = "fuzzing")]
pub use edge::h1_server;
pub use edge::{BodyLost, ClientBody, ControlPlane};
pub use metrics::Metrics;
pub use worker::Gateway;
