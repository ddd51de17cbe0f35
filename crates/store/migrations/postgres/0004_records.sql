-- Records outlive their organisation, so nothing here refers to it.
CREATE TABLE usage_events (
    id TEXT COLLATE "C" PRIMARY KEY,
    org TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
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
    id TEXT COLLATE "C" PRIMARY KEY,
    org TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX debug_logs_org ON debug_logs (org, id);
CREATE INDEX debug_logs_at ON debug_logs (org, at);

CREATE TABLE audit_entries (
    org TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    body TEXT NOT NULL,
    prev BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (org, seq)
);

-- Whoever appends to a chain holds the row of its head until the commit.
CREATE TABLE audit_heads (
    org TEXT COLLATE "C" PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL
);
