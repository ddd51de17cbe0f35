-- Records outlive their organisation, so nothing here refers to it. Here ids are their 16 bytes: these tables are
-- the largest.

-- Records of requests, up to 256 a row, all of the same organisation, arrived within the same ten minutes and with ids
-- made within the same ten: a row for each would cost more than all the rest of a record.
CREATE TABLE request_runs (
    org BLOB NOT NULL,
    -- The greatest of the ids.
    last_id BLOB NOT NULL,
    -- The least.
    first_id BLOB NOT NULL,
    -- When the first request arrived.
    first_at BIGINT NOT NULL,
    -- When the last did.
    last_at BIGINT NOT NULL,
    -- How many there are.
    records BIGINT NOT NULL,
    -- Are they usage events? What was refused used nothing, and goes with its debug log.
    is_used BOOLEAN NOT NULL,
    -- Are they debug logs still?
    is_logged BOOLEAN NOT NULL,
    -- The ids; then what is used of each model; then what a usage event says. Each has a checksum, of the columns above
    -- too.
    ids BLOB NOT NULL,
    sums BLOB NOT NULL,
    facts BLOB NOT NULL,
    -- What a debug log says beside; none when its time is over.
    detail BLOB,
    PRIMARY KEY (org, last_id)
);
CREATE INDEX request_runs_at ON request_runs (org, is_logged, first_at);
CREATE INDEX request_runs_logged ON request_runs (org, is_logged, last_id);

-- Entries that were appended together: a row for each would cost more than all the rest of a record.
CREATE TABLE audit_runs (
    org BLOB NOT NULL,
    -- The place of the run's last entry.
    last_seq BIGINT NOT NULL,
    -- A line of JSON each: the first whole, of the others what differs from the line before.
    bodies TEXT NOT NULL,
    -- The hash of the entry before the run.
    prev BLOB NOT NULL,
    -- 32 bytes each.
    hashes BLOB NOT NULL,
    PRIMARY KEY (org, last_seq)
);

-- The entries that were shipped by themselves, so that none is shipped twice; a request's goes with its record.
CREATE TABLE audit_ids (
    id BLOB PRIMARY KEY
) WITHOUT ROWID;

-- Whoever appends to a chain holds the row of its head until the commit.
CREATE TABLE audit_heads (
    org BLOB PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash BLOB NOT NULL
);
