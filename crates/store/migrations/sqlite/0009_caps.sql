CREATE TABLE cap_ledger (
    org TEXT NOT NULL,
    -- Whose policy and which cap, such as `organisation:spend_per_day`.
    resource TEXT NOT NULL,
    -- UTC microseconds: the first instant of the window, and the first after it.
    window_start BIGINT NOT NULL,
    window_end BIGINT NOT NULL,
    -- Nano-dollars, tokens or requests: used, or leased to a node.
    granted BIGINT NOT NULL CHECK (granted >= 0),
    PRIMARY KEY (org, resource, window_start)
);
CREATE INDEX cap_ledger_by_end ON cap_ledger (window_end);
