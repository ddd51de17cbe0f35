-- One row: whoever announces a change holds it until the commit, so the feed's order is the order of the commits.
CREATE TABLE change_clock (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL
);
INSERT INTO change_clock (id, seq) VALUES (1, 0);

CREATE TABLE config_changes (
    seq BIGINT PRIMARY KEY,
    -- None: the tiers.
    org TEXT COLLATE "C"
);

CREATE TABLE idempotency (
    caller TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    begun_at BIGINT NOT NULL,
    -- Both none until the request is done.
    status BIGINT,
    body BYTEA,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_begun_at ON idempotency (begun_at);
