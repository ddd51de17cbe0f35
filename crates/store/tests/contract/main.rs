//! What the ports promise, as one list of tests a port, which every engine must pass: the in-memory fake,
//! SQLite, Postgres, and Postgres behind a pooler. A test that is added to a list reaches all of them.
//!
//! Postgres is taken from `TOPDOG_TEST_POSTGRES_URL`; without it those tests say so and pass, but never in CI.

#![cfg(test)]

mod api_keys;
mod audit_chain;
mod cap_ledger;
mod change_feed;
mod endpoints;
mod engines;
mod idempotency;
mod minute_ledger;
mod organisations;
mod pgbouncer;
mod policies;
mod provider_keys;
mod quota_ledger;
mod records;
mod tiers;
mod vault_keys;

use engines::{Ports, contract};
use topdog_domain::fakes::samples;
use topdog_domain::ports::PortError;
use topdog_domain::tenant::Organisation;

/// Makes an organisation that everything may be added to.
async fn add_organisation(ports: &Ports, name: &str) -> Organisation {
    let new = samples::organisation(name, "ENTERPRISE-ULTIMATE");
    let audit = samples::audit(new.organisation.id, "organisation.create");
    ports.organisations.organisation_create(&new, &audit).await.unwrap();
    new.organisation
}

fn is_conflict<T>(result: Result<T, PortError>) -> bool {
    matches!(result, Err(PortError::Conflict(_)))
}

fn is_not_found<T>(result: Result<T, PortError>) -> bool {
    matches!(result, Err(PortError::NotFound))
}
