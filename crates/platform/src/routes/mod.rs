//! Everything that can be asked for, by what it is about.

mod api_keys;
mod audit;
mod document;
mod endpoints;
mod key_question;
mod key_test;
mod organisations;
mod policies;
mod policy_explain;
mod provider_keys;
mod quota;
mod tiers;
mod usage;
mod vault;

use crate::platform::Shared;
use crate::table::{self, Method, Route};
use axum::Router;

/// The router of all routes.
pub(crate) fn router() -> Router<Shared> {
    table::router(all())
}

/// All routes.
#[rustfmt::skip]
pub(crate) fn all() -> Vec<Route> {
    use Method::{Delete, Get, Patch, Post, Put};
    vec![
        Route::new("document.show", Get, "/openapi.json", "Shows this document", document::show),

        Route::new("organisation.list", Get, "/organisations", "Lists organisations", organisations::list),
        Route::new("organisation.create", Post, "/organisations", "Makes an organisation, its owner and its workspace `default`", organisations::create),
        Route::new("organisation.show", Get, "/organisations/{org}", "Shows an organisation", organisations::show),
        Route::new("organisation.change", Patch, "/organisations/{org}", "Changes an organisation's data segment or, for the operator, its tier", organisations::change),
        Route::new("organisation.destroy", Delete, "/organisations/{org}", "Destroys an organisation: its keys can't be opened by anyone any more", organisations::destroy),
        Route::new("workspace.list", Get, "/organisations/{org}/workspaces", "Lists workspaces", organisations::workspaces),

        Route::new("tier.list", Get, "/tiers", "Lists tiers, lowest first", tiers::list),
        Route::new("tier.show", Get, "/tiers/{name}", "Shows a tier", tiers::show),
        Route::new("tier.put", Put, "/tiers/{name}", "Makes or replaces a tier", tiers::put),

        Route::new("api_key.list", Get, "/organisations/{org}/api-keys", "Lists Top Dog API keys, revoked ones too", api_keys::list),
        Route::new("api_key.create", Post, "/organisations/{org}/api-keys", "Makes a Top Dog API key and shows its secret once", api_keys::create),
        Route::new("api_key.show", Get, "/organisations/{org}/api-keys/{id}", "Shows a Top Dog API key", api_keys::show),
        Route::new("api_key.rotate", Post, "/organisations/{org}/api-keys/{id}/rotate", "Gives a Top Dog API key a new secret, shown once; the present one works on for a while", api_keys::rotate),
        Route::new("api_key.revoke", Delete, "/organisations/{org}/api-keys/{id}", "Revokes a Top Dog API key", api_keys::revoke),

        Route::new("provider_key.list", Get, "/organisations/{org}/provider-keys", "Lists provider keys, without their plaintext", provider_keys::list),
        Route::new("provider_key.create", Post, "/organisations/{org}/provider-keys", "Keeps a provider key", provider_keys::create),
        Route::new("provider_key.show", Get, "/organisations/{org}/provider-keys/{id}", "Shows a provider key, without its plaintext", provider_keys::show),
        Route::new("provider_key.rotate", Post, "/organisations/{org}/provider-keys/{id}/rotate", "Keeps the next version of a provider key", provider_keys::rotate),
        Route::new("provider_key.test", Post, "/organisations/{org}/provider-keys/{id}/test", "Asks the provider whether it takes the key", key_test::test),
        Route::new("provider_key.delete", Delete, "/organisations/{org}/provider-keys/{id}", "Deletes a provider key with all its versions", provider_keys::delete),

        Route::new("endpoint.list", Get, "/organisations/{org}/endpoints", "Lists custom endpoints", endpoints::list),
        Route::new("endpoint.create", Post, "/organisations/{org}/endpoints", "Makes a custom endpoint", endpoints::create),
        Route::new("endpoint.replace", Put, "/organisations/{org}/endpoints/{name}", "Replaces a custom endpoint", endpoints::replace),
        Route::new("endpoint.delete", Delete, "/organisations/{org}/endpoints/{name}", "Deletes a custom endpoint", endpoints::delete),

        Route::new("policy.list", Get, "/organisations/{org}/policies", "Lists the policies in force", policies::list),
        Route::new("policy.explain", Post, "/organisations/{org}/policies/explain", "Says what would happen to a request, and by which rule, without making it", policy_explain::explain),
        Route::new("policy.show", Get, "/organisations/{org}/policies/{scope}", "Shows the policy in force", policies::show),
        Route::new("policy.put", Put, "/organisations/{org}/policies/{scope}", "Puts the next version of a policy in force", policies::put),
        Route::new("policy.delete", Delete, "/organisations/{org}/policies/{scope}", "Deletes a policy; its versions stay", policies::delete),
        Route::new("policy.history", Get, "/organisations/{org}/policies/{scope}/versions", "Lists a policy's versions, newest first", policies::history),
        Route::new("policy.roll_back", Post, "/organisations/{org}/policies/{scope}/rollback", "Puts what an earlier version said in force again, as the next version", policies::roll_back),

        Route::new("usage.sum", Get, "/organisations/{org}/usage", "Sums usage by provider and model", usage::sum),
        Route::new("usage.list", Get, "/organisations/{org}/usage/events", "Lists usage events, newest first", usage::events),
        Route::new("debug_log.list", Get, "/organisations/{org}/debug-logs", "Lists debug-log records, newest first", usage::debug_logs),
        Route::new("quota.show", Get, "/organisations/{org}/quota", "Shows limits and what is used of them", quota::show),
        Route::new("audit.list", Get, "/organisations/{org}/audit", "Lists audit entries in the order of their chain", audit::list),
        Route::new("audit.list_chains", Get, "/audit/chains", "Lists whose audit chains there are, destroyed organisations' too", audit::list_chains),
        Route::new("audit.list_installation", Get, "/audit", "Lists audit entries of what concerns the whole installation", audit::list_installation),

        Route::new("org_key.show", Get, "/organisations/{org}/vault", "Shows how the organisation's key stands", vault::show_org),
        Route::new("org_key.rotate", Post, "/organisations/{org}/vault/rotate", "Rotates the organisation's key", vault::rotate_org),
        Route::new("root_key.show", Get, "/vault", "Shows what rotations have still before them", vault::show_root),
        Route::new("root_key.rotate", Post, "/vault/rotate-root", "Rotates the root key", vault::rotate_root),
    ]
}
