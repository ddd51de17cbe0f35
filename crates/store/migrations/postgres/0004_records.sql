-- Records outlive their organisation, so nothing here refers to it. Here ids are their 16 bytes: these tables are
-- the largest, and ids were a third of them.
CREATE TABLE request_records (
    org BYTEA NOT NULL,
    id BYTEA NOT NULL,
    at BIGINT NOT NULL,
    -- Is it a usage event? What was refused used nothing, and goes with its debug log.
    is_used BOOLEAN NOT NULL,
    -- Is it a debug log still?
    is_logged BOOLEAN NOT NULL,
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
    -- What a usage event says, as JSON.
    facts TEXT NOT NULL,
    -- What a debug log says beside, as JSON; none when its time is over.
    detail TEXT,
    PRIMARY KEY (org, id)
);
CREATE INDEX request_records_at ON request_records (org, is_logged, at);

-- Entries that were appended together: a row for each would cost more than all the rest of a record.
CREATE TABLE audit_runs (
    org BYTEA NOT NULL,
    -- The place of the run's last entry.
    last_seq BIGINT NOT NULL,
    -- A line of JSON each: the first whole, of the others what differs from the line before.
    bodies TEXT NOT NULL,
    -- The hash of the entry before the run.
    prev BYTEA NOT NULL,
    -- 32 bytes each.
    hashes BYTEA NOT NULL,
    PRIMARY KEY (org, last_seq)
);

-- The entries that were shipped by themselves, so that none is shipped twice; a request's goes with its record.
CREATE TABLE audit_ids (
    id BYTEA PRIMARY KEY
);

-- Whoever appends to a chain holds the row of its head until the commit.
CREATE TABLE audit_heads (
    org BYTEA PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL
);
