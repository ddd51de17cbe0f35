CREATE TABLE quota_ledger (
    org TEXT COLLATE "C" NOT NULL,
    -- Days since 1970-01-01, UTC.
    day BIGINT NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    granted BIGINT NOT NULL CHECK (granted >= 0),
    PRIMARY KEY (org, day, resource)
);
