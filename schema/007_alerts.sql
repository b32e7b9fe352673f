-- Alerts: rules somebody set, what they found, and who is told by webhook.
--
-- An alert is one row from its opening to its resolution. What goes out to webhooks is written in the same
-- transaction as what it tells of, and stays until it was delivered or given up.

CREATE TABLE alert_rules (
    id          INTEGER PRIMARY KEY,
    rule_id     TEXT NOT NULL UNIQUE,
    kind        INTEGER NOT NULL,               -- enum alert_kind
    scope       INTEGER NOT NULL DEFAULT 0,     -- of a cost: all, user, session, token, model
    key         TEXT NOT NULL DEFAULT '',       -- whose
    window      INTEGER NOT NULL DEFAULT 0,     -- of a cost: day, week, month
    tz          TEXT NOT NULL DEFAULT 'UTC',
    threshold   INTEGER NOT NULL,               -- picodollars, millionths or milliseconds, as the kind has it
    for_ms      INTEGER NOT NULL,               -- it opens when it has held so long
    least       INTEGER NOT NULL DEFAULT 0,     -- of an error rate: requests before it means something
    enabled     INTEGER NOT NULL DEFAULT 1,
    created_ms  INTEGER NOT NULL,
    deleted_ms  INTEGER
) STRICT;

CREATE TABLE alerts (
    id              INTEGER PRIMARY KEY,
    alert_id        TEXT NOT NULL UNIQUE,
    rule            INTEGER NOT NULL REFERENCES alert_rules,
    key             TEXT NOT NULL,              -- which upstream, budget, …
    window_ms       INTEGER NOT NULL,           -- when the window began; 0: it has none
    level           INTEGER NOT NULL,           -- which of a budget's levels, millionths; 0: there is but one
    value           INTEGER NOT NULL,           -- when it opened, in the unit of the threshold
    threshold       INTEGER NOT NULL,
    text            TEXT NOT NULL,
    opened_ms       INTEGER NOT NULL,
    acknowledged_ms INTEGER,
    acknowledged_by TEXT,
    resolved_ms     INTEGER,
    version         INTEGER NOT NULL            -- counts every change of any alert
) STRICT;
CREATE UNIQUE INDEX alerts_unresolved ON alerts(rule, key, window_ms, level) WHERE resolved_ms IS NULL;
CREATE INDEX alerts_version ON alerts(version);

-- A webhook's secret is made from the key in the state folder and its id and turn: none is stored.
CREATE TABLE webhooks (
    id          INTEGER PRIMARY KEY,
    webhook_id  TEXT NOT NULL UNIQUE,
    url         TEXT NOT NULL,
    turn        INTEGER NOT NULL DEFAULT 1,     -- a new secret has the next
    enabled     INTEGER NOT NULL DEFAULT 1,
    created_ms  INTEGER NOT NULL,
    deleted_ms  INTEGER
) STRICT;

CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    delivery_id TEXT NOT NULL UNIQUE,           -- the same in each attempt, so that a receiver can tell
    webhook     INTEGER NOT NULL REFERENCES webhooks,
    type        TEXT NOT NULL,
    body        TEXT NOT NULL,
    created_ms  INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_ms     INTEGER,                        -- when to try next; NULL: delivered or given up
    until_ms    INTEGER NOT NULL,               -- given up then
    status      INTEGER NOT NULL DEFAULT 0,     -- of the last attempt; 0: no answer
    error       TEXT,                           -- of the last attempt; NULL once delivered
    done_ms     INTEGER
) STRICT;
CREATE INDEX deliveries_due ON deliveries(next_ms) WHERE next_ms IS NOT NULL;
CREATE INDEX deliveries_webhook ON deliveries(webhook, id);

-- Without these nobody would be told of what stops the work. A cost has no limit that fits all.
INSERT INTO alert_rules(rule_id, kind, threshold, for_ms, least, created_ms) VALUES
    ('rul_budget',        1, 0,            0,  0, 0),
    ('rul_limit_use',     2, 950000,  600000,  0, 0),
    ('rul_error_rate',    3, 50000,        0, 20, 0),
    ('rul_queue_wait',    4, 60000,    30000,  0, 0),
    ('rul_storage',       5, 0,            0,  0, 0),
    ('rul_upstream_down', 6, 0,            0,  0, 0);
