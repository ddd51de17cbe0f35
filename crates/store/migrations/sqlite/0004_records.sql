-- Records outlive their organisation, so nothing here refers to it.
CREATE TABLE usage_events (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL,
    at BIGINT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    is_counted BOOLEAN NOT NULL,
    source TEXT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost_nanodollars BIGINT,
    record TEXT NOT NULL
);
CREATE INDEX usage_events_org ON usage_events (org, id);
CREATE INDEX usage_events_at ON usage_events (org, at);

CREATE TABLE debug_logs (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL,
    at BIGINT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX debug_logs_org ON debug_logs (org, id);
CREATE INDEX debug_logs_at ON debug_logs (org, at);

CREATE TABLE audit_entries (
    org TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (org, seq)
);

-- Whoever appends to a chain holds the row of its head until the commit.
CREATE TABLE audit_heads (
    org TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash BLOB NOT NULL
);
