-- Records outlive their organisation, so nothing here refers to it. Here ids are their 16 bytes: these tables are
-- the largest, and ids were a third of them.
CREATE TABLE request_records (
    org BLOB NOT NULL,
    id BLOB NOT NULL,
    at BIGINT NOT NULL,
    -- Is it a usage event? What was refused used nothing, and goes with its debug log.
    is_used BOOLEAN NOT NULL,
    -- Is it a debug log still?
    is_logged BOOLEAN NOT NULL,
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
    -- What a usage event says, as JSON.
    facts TEXT NOT NULL,
    -- What a debug log says beside, as JSON; none when its time is over.
    detail TEXT,
    PRIMARY KEY (org, id)
);
CREATE INDEX request_records_at ON request_records (org, is_logged, at);

CREATE TABLE audit_entries (
    org BLOB NOT NULL,
    seq BIGINT NOT NULL,
    id BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (org, seq)
);

-- Whoever appends to a chain holds the row of its head until the commit.
CREATE TABLE audit_heads (
    org BLOB PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash BLOB NOT NULL
);
