//! What Top Dog believes: tenants, tiers, entitlements, quota arithmetic, usage, roles, refusals, and the ports others must fill; no I/O.
