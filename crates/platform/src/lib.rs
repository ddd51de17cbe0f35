//! What customers and operators manage: REST API, sessions, SSO, teams, workspaces, webhooks, support.

pub mod api;
