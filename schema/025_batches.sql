-- Files that people upload, and batches of requests made of them (store/files.h, store/batches.h).

CREATE TABLE files (
    id         INTEGER PRIMARY KEY,
    file_id    TEXT NOT NULL UNIQUE,
    user       INTEGER NOT NULL REFERENCES users,
    kind       INTEGER NOT NULL,                -- 0 uploaded, else lines of a batch: 1 its answers, 2 its failures
    state      INTEGER NOT NULL,                -- 0 being uploaded, 1 there, 2 dropped: what it holds goes in steps, then the row
    batch      INTEGER,                         -- whose lines they are
    name       TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX files_user ON files(user, id);
CREATE INDEX files_expires ON files(state, expires_ms);

CREATE TABLE file_parts (
    id     INTEGER PRIMARY KEY,                 -- file * 2^20 + n: one file lies together; 256 KiB each, the last one less
    sealed INTEGER NOT NULL,
    data   BLOB NOT NULL
) STRICT;

CREATE TABLE batches (
    id            INTEGER PRIMARY KEY,
    batch_id      TEXT NOT NULL UNIQUE,
    user          INTEGER NOT NULL REFERENCES users,
    token         INTEGER,                      -- tokens: what it may do and whose budgets count it; NULL: made in a browser
    input         INTEGER NOT NULL,             -- files
    endpoint      TEXT NOT NULL,
    priority      INTEGER NOT NULL,
    metadata      TEXT,                         -- JSON
    state         INTEGER NOT NULL,             -- enum batch_status
    ends_as       INTEGER,                      -- the same, once it is decided
    paused        INTEGER NOT NULL DEFAULT 0,
    held          TEXT,                         -- code of what keeps it from going on for now
    errors        TEXT,                         -- JSON: what is wrong with its input
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    begun_ms      INTEGER,
    cancelled_ms  INTEGER,                      -- when that was asked for
    finalizing_ms INTEGER,
    ended_ms      INTEGER,
    worked_ms     INTEGER NOT NULL DEFAULT 0,   -- without pauses and stops
    total         INTEGER NOT NULL DEFAULT 0,
    completed     INTEGER NOT NULL DEFAULT 0,
    failed        INTEGER NOT NULL DEFAULT 0,
    repeated      INTEGER NOT NULL DEFAULT 0,   -- sent again, because Weir ended while they ran
    tokens_in     INTEGER NOT NULL DEFAULT 0,
    tokens_out    INTEGER NOT NULL DEFAULT 0,
    cost          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX batches_user ON batches(user, id);
CREATE INDEX batches_open ON batches(id) WHERE ended_ms IS NULL;

CREATE TABLE batch_items (
    id     INTEGER PRIMARY KEY,                 -- batch * 2^20 + n: one batch lies together
    start  INTEGER NOT NULL,                    -- of its line in the input, in bytes …
    bytes  INTEGER NOT NULL,                    -- … and how long that is
    state  INTEGER NOT NULL DEFAULT 0,          -- 0 open, 1 answered, 2 failed, 3 never sent
    length INTEGER NOT NULL DEFAULT 0,          -- of `line`, as it is read
    sealed INTEGER NOT NULL DEFAULT 0,
    line   BLOB                                 -- of the output or the error file; NULL: open, or that file is gone
) STRICT;
CREATE INDEX batch_items_open ON batch_items(id) WHERE state = 0;
