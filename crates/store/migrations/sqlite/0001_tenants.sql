CREATE TABLE membership_tiers (
    name TEXT PRIMARY KEY,
    family TEXT NOT NULL,
    rank BIGINT NOT NULL,
    api_calls_per_day BIGINT NOT NULL,
    llm_requests_per_day BIGINT NOT NULL,
    code_execution_enabled BOOLEAN NOT NULL,
    storage_bytes BIGINT NOT NULL,
    concurrent_jobs BIGINT NOT NULL,
    api_keys_limit BIGINT NOT NULL,
    webhooks_enabled BOOLEAN NOT NULL,
    debug_log_retention_days BIGINT NOT NULL,
    version_control_enabled BOOLEAN NOT NULL,
    platform_managed_llm_enabled BOOLEAN NOT NULL,
    byok_llm_enabled BOOLEAN NOT NULL,
    byok_supported_providers TEXT NOT NULL,
    byok_basic_only BOOLEAN NOT NULL,
    byok_policies_enabled BOOLEAN NOT NULL,
    byok_team_keys_enabled BOOLEAN NOT NULL,
    custom_integrations_limit BIGINT NOT NULL,
    team_members_limit BIGINT NOT NULL,
    rbac_enabled BOOLEAN NOT NULL,
    shared_workspaces_enabled BOOLEAN NOT NULL,
    audit_logs_enabled BOOLEAN NOT NULL,
    resource_quotas_enabled BOOLEAN NOT NULL,
    hipaa_mode_enabled BOOLEAN NOT NULL,
    soc2_evidence_enabled BOOLEAN NOT NULL,
    sso_enabled BOOLEAN NOT NULL,
    data_residency_enabled BOOLEAN NOT NULL,
    on_premise_enabled BOOLEAN NOT NULL,
    support_channel TEXT NOT NULL,
    first_response_hours BIGINT NOT NULL,
    account_manager_enabled BOOLEAN NOT NULL,
    key_management_calls_per_minute BIGINT NOT NULL
);

CREATE TABLE organisations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    tier TEXT NOT NULL,
    data_segment TEXT,
    created_at BIGINT NOT NULL,
    destroyed_at BIGINT,
    -- Counts changes; updating it is also how a change takes its turn.
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX organisations_name ON organisations (name) WHERE destroyed_at IS NULL;

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    data_segment TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (org, name)
);

CREATE TABLE members (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX members_org ON members (org);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL REFERENCES organisations (id),
    workspace TEXT,
    name TEXT NOT NULL,
    mode TEXT NOT NULL,
    scopes TEXT NOT NULL,
    models TEXT NOT NULL,
    ip_allow TEXT NOT NULL,
    llm_requests_per_day BIGINT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX api_keys_live_name ON api_keys (org, name) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_org ON api_keys (org, id);

CREATE TABLE api_key_secrets (
    public_id TEXT PRIMARY KEY,
    org TEXT NOT NULL,
    api_key TEXT NOT NULL REFERENCES api_keys (id),
    -- Higher is newer.
    generation BIGINT NOT NULL,
    hash BLOB NOT NULL,
    pepper_version BIGINT NOT NULL,
    not_after BIGINT,
    UNIQUE (api_key, generation)
);
CREATE INDEX api_key_secrets_org ON api_key_secrets (org);

CREATE TABLE endpoints (
    org TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    base_url TEXT NOT NULL,
    models TEXT NOT NULL,
    is_keyless BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org, name)
);
