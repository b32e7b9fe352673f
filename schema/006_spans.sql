-- Roll-ups of longer spans, so that a report over a year reads thousands of rows instead of millions. They are made from
-- the quarters of an hour once these have passed, and again in the transaction that still adds to one of them; what
-- lies before `ledger.folded` is in them, whole.

ALTER TABLE ledger ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;       -- quarters since 1970

-- By 4 hours, day, 8 days and 64 days (UTC, counted from 1970) and combination of dimensions.
CREATE TABLE span_rollups (
    id              INTEGER PRIMARY KEY,        -- level (1 … 4) * 2^56 + span * 2^24 + combo
    requests        INTEGER NOT NULL,
    prompt          INTEGER NOT NULL,
    cached          INTEGER NOT NULL,
    cache_write     INTEGER NOT NULL,
    completion      INTEGER NOT NULL,
    reasoning       INTEGER NOT NULL,
    chars           INTEGER NOT NULL,
    cost_in         INTEGER NOT NULL,
    cost_out        INTEGER NOT NULL,
    unpriced        INTEGER NOT NULL,
    unpriced_tokens INTEGER NOT NULL,
    estimated       INTEGER NOT NULL,
    retries         INTEGER NOT NULL,
    queue_us        INTEGER NOT NULL,
    retry_us        INTEGER NOT NULL,
    ttft_us         INTEGER NOT NULL,
    writing_us      INTEGER NOT NULL,
    hist            BLOB NOT NULL
) STRICT;

-- By hour, of everything and of each value of one dimension: the hours of one value lie together.
CREATE TABLE hour_rollups (
    id              INTEGER PRIMARY KEY,        -- dimension (0 all, user, model, upstream, endpoint, priority, status) * 2^60
    requests        INTEGER NOT NULL,           --   + value * 2^24 + hour since 1970
    prompt          INTEGER NOT NULL,
    completion      INTEGER NOT NULL,
    reasoning       INTEGER NOT NULL,
    chars           INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    unpriced        INTEGER NOT NULL,
    unpriced_tokens INTEGER NOT NULL,
    retries         INTEGER NOT NULL,
    wait_us         INTEGER NOT NULL,           -- queue and retries
    ttft_us         INTEGER NOT NULL,
    writing_us      INTEGER NOT NULL,
    hist            BLOB NOT NULL
) STRICT;

-- The dearest sessions of a long range are looked for from the dearest of all on.
CREATE INDEX sessions_cost ON sessions(cost, user);
