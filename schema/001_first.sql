-- The whole of Weir's memory in its first form.
--
-- Times are UTC milliseconds since 1970 (…_ms) or durations in microseconds (…_us); money is picodollars
-- (1 USD = 10^12). Numbers and text lie apart: events, attempts and roll-ups hold no content, contents holds
-- nothing else. Public ids ("ses_…") are for the outside; inside, rows refer to each other by small integers,
-- 0 = none. REFERENCES stands where rows are few; the ledger's hot tables are checked by `weir verify` instead.

CREATE TABLE migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_ms INTEGER NOT NULL
) STRICT;

-- What survives a restart and fits into one value: admission state, switches set at run time.
CREATE TABLE settings (
    key        TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    changed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- who

CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    user_id       TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role          INTEGER NOT NULL CHECK (role BETWEEN 0 AND 2),           -- user, monitor, admin
    max_priority  INTEGER NOT NULL CHECK (max_priority BETWEEN 0 AND 2),   -- Low, Medium, High
    password_hash TEXT,
    created_ms    INTEGER NOT NULL,
    disabled_ms   INTEGER
) STRICT;

CREATE TABLE tokens (
    id           INTEGER PRIMARY KEY,
    token_id     TEXT NOT NULL UNIQUE,
    user         INTEGER NOT NULL REFERENCES users,
    name         TEXT NOT NULL,
    hash         BLOB NOT NULL UNIQUE,          -- SHA-256; the token itself is nowhere
    scopes       TEXT NOT NULL,                 -- '' = all its user may do
    max_priority INTEGER NOT NULL CHECK (max_priority BETWEEN 0 AND 2),
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER,
    used_ms      INTEGER,
    revoked_ms   INTEGER
) STRICT;
CREATE INDEX tokens_user ON tokens(user);

CREATE TABLE web_sessions (
    hash       BLOB PRIMARY KEY,                -- SHA-256 of the cookie
    user       INTEGER NOT NULL REFERENCES users,
    csrf       TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    seen_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signin_codes (
    hash       BLOB PRIMARY KEY,
    user       INTEGER NOT NULL REFERENCES users,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms    INTEGER
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- conversations

CREATE TABLE sessions (
    id         INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE,
    user       INTEGER NOT NULL,
    title      TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    pinned     INTEGER NOT NULL DEFAULT 0,
    archived   INTEGER NOT NULL DEFAULT 0,
    deleted_ms INTEGER,                         -- its text is gone; the row stays, because events name it
    last_seq   INTEGER NOT NULL DEFAULT 0,      -- numbers of messages are never used twice
    requests   INTEGER NOT NULL DEFAULT 0,      -- totals of its settled events
    prompt     INTEGER NOT NULL DEFAULT 0,
    completion INTEGER NOT NULL DEFAULT 0,
    cost       INTEGER NOT NULL DEFAULT 0,
    unpriced   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sessions_user ON sessions(user, updated_ms);

-- A tree: parent is the seq of the message this one hangs on, 0 = the root.
CREATE TABLE messages (
    id         INTEGER PRIMARY KEY,             -- session * 2^20 + seq: one session lies together
    message_id TEXT NOT NULL,
    parent     INTEGER NOT NULL,
    role       INTEGER NOT NULL,                -- system, user, assistant
    at_ms      INTEGER NOT NULL,
    session    INTEGER GENERATED ALWAYS AS (id >> 20) VIRTUAL,
    seq        INTEGER GENERATED ALWAYS AS (id & 1048575) VIRTUAL
) STRICT;

CREATE TABLE contents (
    id        INTEGER PRIMARY KEY,              -- of the message
    text      TEXT NOT NULL,
    reasoning TEXT
) STRICT;

-- ---------------------------------------------------------------- the ledger

-- Models, upstreams, endpoints, codes: each spelling once.
CREATE TABLE words (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- The prices that were applied, so that a later change of a price changes no history.
CREATE TABLE rates (
    id       INTEGER PRIMARY KEY,
    version  INTEGER NOT NULL,                  -- word: of the price table
    rate_in  INTEGER NOT NULL,                  -- picodollars per token
    rate_out INTEGER NOT NULL,
    UNIQUE (version, rate_in, rate_out)
) STRICT;

-- One row per request, from its acceptance on; the settlement replaces the intent in place.
CREATE TABLE events (
    id             INTEGER PRIMARY KEY,         -- at_ms * 2^20 + n: the order of keys is the order of time
    request_id     TEXT NOT NULL UNIQUE,
    user           INTEGER NOT NULL,
    token          INTEGER NOT NULL,            -- 0: a browser
    session        INTEGER NOT NULL,
    question       INTEGER NOT NULL,            -- seq of the message that is answered
    answer         INTEGER NOT NULL,            -- seq set aside for the answer
    model          INTEGER NOT NULL,            -- words, as are upstream, endpoint, finish, error
    upstream       INTEGER NOT NULL,
    endpoint       INTEGER NOT NULL,
    priority       INTEGER NOT NULL,
    state          INTEGER NOT NULL,            -- accepted, sent, settled
    status         INTEGER NOT NULL,            -- success, error, cancelled, timeout, rejected; once settled
    held_by        INTEGER NOT NULL,            -- the gate that held it longest
    finish         INTEGER NOT NULL,
    error          INTEGER NOT NULL,
    counted        INTEGER NOT NULL,            -- prompt tokens as Weir counted them before
    max_tokens     INTEGER NOT NULL,
    prompt         INTEGER NOT NULL,
    cached         INTEGER NOT NULL,
    cache_write    INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    completion     INTEGER NOT NULL,
    reasoning      INTEGER NOT NULL,
    chars          INTEGER NOT NULL,            -- visible code points of the answer
    estimated      INTEGER NOT NULL,
    suspect        INTEGER NOT NULL,
    rate           INTEGER NOT NULL,            -- 0: no price known, the costs are 0 and shown as null
    cost_in        INTEGER NOT NULL,
    cost_out       INTEGER NOT NULL,
    attempts       INTEGER NOT NULL,
    queue_us       INTEGER NOT NULL,
    retry_us       INTEGER NOT NULL,
    ttft_us        INTEGER NOT NULL,
    writing_us     INTEGER NOT NULL,
    metadata       TEXT,
    at_ms          INTEGER GENERATED ALWAYS AS (id >> 20) VIRTUAL
) STRICT;
CREATE INDEX events_session ON events(session, answer) WHERE session > 0;
CREATE INDEX events_open ON events(state) WHERE state < 2;
CREATE INDEX events_failed ON events(status) WHERE status > 0;

CREATE TABLE attempts (
    event               INTEGER NOT NULL,
    n                   INTEGER NOT NULL,       -- from 1
    upstream            INTEGER NOT NULL,
    after_ms            INTEGER NOT NULL,       -- sent so long after the event's acceptance
    wait_us             INTEGER NOT NULL,
    duration_us         INTEGER NOT NULL,
    http_status         INTEGER NOT NULL,       -- 0: no answer
    error               INTEGER NOT NULL,
    reserved_in         INTEGER NOT NULL,
    reserved_out        INTEGER NOT NULL,
    provider_request_id TEXT,
    PRIMARY KEY (event, n)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- roll-ups

-- Every combination of dimensions seen, so that a roll-up's key is two numbers.
CREATE TABLE combos (
    id       INTEGER PRIMARY KEY,
    user     INTEGER NOT NULL,
    model    INTEGER NOT NULL,
    upstream INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    status   INTEGER NOT NULL,
    UNIQUE (user, model, upstream, endpoint, priority, status)
) STRICT;

-- By quarter of an hour, kept for the retention time.
CREATE TABLE rollups (
    id              INTEGER PRIMARY KEY,        -- quarter * 2^24 + combo
    requests        INTEGER NOT NULL,
    prompt          INTEGER NOT NULL,
    cached          INTEGER NOT NULL,
    cache_write     INTEGER NOT NULL,           -- both kinds
    completion      INTEGER NOT NULL,
    reasoning       INTEGER NOT NULL,
    chars           INTEGER NOT NULL,
    cost_in         INTEGER NOT NULL,
    cost_out        INTEGER NOT NULL,
    unpriced        INTEGER NOT NULL,           -- requests without a price
    unpriced_tokens INTEGER NOT NULL,
    estimated       INTEGER NOT NULL,
    retries         INTEGER NOT NULL,           -- attempts beyond the first
    queue_us        INTEGER NOT NULL,
    retry_us        INTEGER NOT NULL,
    ttft_us         INTEGER NOT NULL,
    writing_us      INTEGER NOT NULL,
    hist            BLOB NOT NULL,              -- of duration, first token, wait: rules/hist.h
    at_ms           INTEGER GENERATED ALWAYS AS ((id >> 24) * 900000) VIRTUAL,
    combo           INTEGER GENERATED ALWAYS AS (id & 16777215) VIRTUAL
) STRICT;

-- By minute, kept for 48 hours.
CREATE TABLE minute_rollups (
    id              INTEGER PRIMARY KEY,        -- minute * 2^24 + combo
    requests        INTEGER NOT NULL,
    prompt          INTEGER NOT NULL,
    completion      INTEGER NOT NULL,
    reasoning       INTEGER NOT NULL,
    chars           INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    unpriced        INTEGER NOT NULL,
    at_ms           INTEGER GENERATED ALWAYS AS ((id >> 24) * 60000) VIRTUAL,
    combo           INTEGER GENERATED ALWAYS AS (id & 16777215) VIRTUAL
) STRICT;

-- By session and quarter of an hour: sessions are too many to be a dimension of the table above.
CREATE TABLE session_rollups (
    id         INTEGER PRIMARY KEY,             -- quarter * 2^32 + session
    requests   INTEGER NOT NULL,
    prompt     INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    cost       INTEGER NOT NULL,
    unpriced   INTEGER NOT NULL,
    at_ms      INTEGER GENERATED ALWAYS AS ((id >> 32) * 900000) VIRTUAL,
    session    INTEGER GENERATED ALWAYS AS (id & 4294967295) VIRTUAL
) STRICT;

-- How many events were ever settled: a version number of all figures.
CREATE TABLE ledger (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    settled INTEGER NOT NULL
) STRICT;
INSERT INTO ledger VALUES (1, 0);

-- ---------------------------------------------------------------- money

-- Prices set by an administrator; they win over the table Weir was built with.
CREATE TABLE prices (
    id             INTEGER PRIMARY KEY,
    upstream       TEXT NOT NULL,               -- '' = any
    model          TEXT NOT NULL,
    valid_from_ms  INTEGER NOT NULL,
    rate_in        INTEGER NOT NULL,
    rate_out       INTEGER NOT NULL,
    cache_read     INTEGER,
    cache_write    INTEGER,
    cache_write_1h INTEGER,
    created_ms     INTEGER NOT NULL,
    created_by     INTEGER NOT NULL REFERENCES users,
    UNIQUE (upstream, model, valid_from_ms)
) STRICT;

CREATE TABLE budgets (
    id         INTEGER PRIMARY KEY,
    budget_id  TEXT NOT NULL UNIQUE,
    scope      INTEGER NOT NULL CHECK (scope BETWEEN 0 AND 4),           -- all, user, session, token, model
    key        TEXT NOT NULL,                   -- whose; '' with scope all
    each       INTEGER NOT NULL DEFAULT 0,      -- one ledger per user, session, token or model
    window     INTEGER NOT NULL CHECK (window BETWEEN 0 AND 3),          -- day, week, month, total
    tz         TEXT NOT NULL DEFAULT 'UTC',
    limit_pico INTEGER NOT NULL CHECK (limit_pico >= 0),
    warn       TEXT NOT NULL DEFAULT '0.5,0.8,0.95',
    created_ms INTEGER NOT NULL,
    deleted_ms INTEGER
) STRICT;

-- What a budget's window has spent; the window is a function of time, so nothing is ever reset.
CREATE TABLE budget_spend (
    budget    INTEGER NOT NULL REFERENCES budgets,
    key       TEXT NOT NULL,                    -- with `each`: whose
    window_ms INTEGER NOT NULL,                 -- when it began
    spent     INTEGER NOT NULL,
    PRIMARY KEY (budget, key, window_ms)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- audit

CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    object     TEXT NOT NULL,
    detail     TEXT NOT NULL,                   -- JSON, without secrets
    request_id TEXT,
    hash       BLOB NOT NULL                    -- SHA-256 over the row before and this one
) STRICT;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
