//! Attempts: what is tried for one request by a route of a policy, in which order, and for how long.
//!
//! A [`Failure`] is what may go wrong, [`Retries`] say how often and after which wait, a [`Breaker`] when a sick place is
//! left alone, [`Health`] is what a node knows of an organisation's places, [`order`](order()) which of several targets
//! comes first, and [`Attempts`] the machine that is asked what to do next. There is no clock and no chance in here: both come in as
//! arguments.
//!
//! The law in short. Nothing is tried twice once a byte has gone to the client. What may have begun to cost money where
//! it was sent is tried again only if the route names that failure. A place is a model of a provider by one provider key:
//! what one key suffers says nothing of another's.

mod attempts;
mod breaker;
mod failure;
mod health;
mod order;
mod retries;

pub use attempts::{Attempts, Rules, Step, Timeouts};
pub use breaker::{Admission, Breaker, BreakerRules, Ticket};
pub use failure::{Failure, FailureSet};
pub use health::{Health, Place};
pub use order::{Balance, Candidate, order};
pub use retries::{Budget, Retries};
