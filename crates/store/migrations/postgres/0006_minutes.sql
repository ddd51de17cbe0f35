CREATE TABLE minute_ledger (
    org TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    -- The newest that was counted in: minutes since 1970-01-01T00:00Z.
    minute BIGINT NOT NULL,
    used BIGINT NOT NULL CHECK (used >= 0),
    PRIMARY KEY (org, resource)
);
