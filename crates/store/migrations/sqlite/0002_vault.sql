CREATE TABLE org_keys (
    org TEXT NOT NULL,
    version BIGINT NOT NULL,
    root_id TEXT NOT NULL,
    root_version BIGINT NOT NULL,
    alg TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org, version)
);
CREATE INDEX org_keys_root ON org_keys (root_id, root_version);

CREATE TABLE provider_keys (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL REFERENCES organisations (id),
    provider TEXT NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    -- Where the plaintext comes from if not from our own vault.
    reference TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    UNIQUE (org, provider, name)
);

-- The foreign key keeps a pruned organisation key from being sealed under by a node that still knows it.
CREATE TABLE sealed_secrets (
    provider_key TEXT NOT NULL,
    version BIGINT NOT NULL,
    org TEXT NOT NULL,
    provider TEXT NOT NULL,
    origin TEXT NOT NULL,
    org_key_version BIGINT NOT NULL,
    alg TEXT NOT NULL,
    wrapped_data_key BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    PRIMARY KEY (provider_key, version),
    FOREIGN KEY (org, org_key_version) REFERENCES org_keys (org, version)
);
CREATE INDEX sealed_secrets_org_key ON sealed_secrets (org, org_key_version);

CREATE TABLE installation_secrets (
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    root_id TEXT NOT NULL,
    root_version BIGINT NOT NULL,
    alg TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (name, version)
);
