-- Every version that is kept; the newest of each scope is in force, unless it is a deletion.
CREATE TABLE policies (
    org TEXT COLLATE "C" NOT NULL REFERENCES organisations (id),
    -- `organisation`, or the id of a workspace or an API key.
    scope TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    -- JSON; none: deleted.
    document TEXT,
    author TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org, scope, version)
);
