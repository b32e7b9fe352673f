-- Less room for ids: a request that Weir numbered itself is found by its time, without an index of all their ids; a
-- message's id is a number. request_id and message_id are what they were, for whoever reads. What is there stays as it is:
-- its ids are text and go with it. And the index of what was said does without the lengths of all texts, which only rank
-- what is found, within one conversation.

DROP VIEW token_usage;
DROP VIEW attempts;

CREATE TABLE events_short (
    id                  INTEGER PRIMARY KEY,    -- at_ms * 2^20 + n: the order of keys is the order of time
    request             ANY NOT NULL,           -- store/event_key.h
    user                INTEGER NOT NULL,
    token               INTEGER NOT NULL,       -- 0: a browser
    session             INTEGER NOT NULL,
    question            INTEGER NOT NULL,       -- seq of the message that is answered
    answer              INTEGER NOT NULL,       -- seq set aside for the answer
    model               INTEGER NOT NULL,       -- words, as are upstream, endpoint, finish, error, asked
    upstream            INTEGER NOT NULL,
    endpoint            INTEGER NOT NULL,
    priority            INTEGER NOT NULL,
    state               INTEGER NOT NULL,       -- accepted, sent, settled
    status              INTEGER NOT NULL,       -- success, error, cancelled, timeout, rejected; once settled
    held_by             INTEGER NOT NULL,       -- the gate that held it longest
    finish              INTEGER NOT NULL,
    error               INTEGER NOT NULL,
    counted             INTEGER NOT NULL,       -- prompt tokens as Weir counted them before
    max_tokens          INTEGER NOT NULL,
    prompt              INTEGER NOT NULL,
    cached              INTEGER NOT NULL,
    cache_write         INTEGER NOT NULL,
    cache_write_1h      INTEGER NOT NULL,
    completion          INTEGER NOT NULL,
    reasoning           INTEGER NOT NULL,
    chars               INTEGER NOT NULL,       -- visible code points of the answer
    estimated           INTEGER NOT NULL,
    suspect             INTEGER NOT NULL,
    rate                INTEGER NOT NULL,       -- 0: no price known, the costs are 0 and shown as null
    cost_in             INTEGER NOT NULL,
    cost_out            INTEGER NOT NULL,
    attempts            INTEGER NOT NULL,
    queue_us            INTEGER NOT NULL,
    retry_us            INTEGER NOT NULL,
    ttft_us             INTEGER NOT NULL,
    writing_us          INTEGER NOT NULL,
    metadata            TEXT,
    waited              TEXT,
    asked               INTEGER NOT NULL DEFAULT 0,
    omitted             INTEGER,
    saved               INTEGER,
    after_ms            INTEGER,                -- from here on: of its only attempt
    wait_us             INTEGER,
    duration_us         INTEGER,
    http_status         INTEGER,                -- NULL: its attempts are elsewhere, or there was none
    reserved_in         INTEGER,
    reserved_out        INTEGER,
    reason              INTEGER,
    provider_request_id TEXT,
    at_ms               INTEGER GENERATED ALWAYS AS (id >> 20) VIRTUAL,
    request_id          TEXT GENERATED ALWAYS AS (CASE typeof(request) WHEN 'text' THEN request ELSE 'req_' ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (id >> 20) / 3521614606208 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (id >> 20) / 56800235584 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (id >> 20) / 916132832 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (id >> 20) / 14776336 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (id >> 20) / 238328 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (id >> 20) / 3844 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (id >> 20) / 62 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (id >> 20) % 62 + 1, 1) ||
        CAST(request AS TEXT) END) VIRTUAL
) STRICT;
INSERT INTO events_short(id, request, user, token, session, question, answer, model, upstream, endpoint, priority, state, status,
    held_by, finish, error, counted, max_tokens, prompt, cached, cache_write, cache_write_1h, completion,
    reasoning, chars, estimated, suspect, rate, cost_in, cost_out, attempts, queue_us, retry_us, ttft_us,
    writing_us, metadata, waited, asked, omitted, saved, after_ms, wait_us, duration_us, http_status, reserved_in,
    reserved_out, reason, provider_request_id)
SELECT id, request_id, user, token, session, question, answer, model, upstream, endpoint, priority, state, status,
    held_by, finish, error, counted, max_tokens, prompt, cached, cache_write, cache_write_1h, completion,
    reasoning, chars, estimated, suspect, rate, cost_in, cost_out, attempts, queue_us, retry_us, ttft_us,
    writing_us, metadata, waited, asked, omitted, saved, after_ms, wait_us, duration_us, http_status, reserved_in,
    reserved_out, reason, provider_request_id
FROM events ORDER BY id;
DROP TABLE events;
ALTER TABLE events_short RENAME TO events;
CREATE UNIQUE INDEX events_request ON events(request) WHERE typeof(request) = 'text';
CREATE INDEX events_session ON events(session, answer) WHERE session > 0;
CREATE INDEX events_open ON events(state) WHERE state < 2;
CREATE INDEX events_failed ON events(status) WHERE status > 0;
CREATE INDEX events_suspect ON events(id) WHERE suspect = 1;

CREATE TABLE messages_short (
    id         INTEGER PRIMARY KEY,             -- session * 2^20 + seq: one session lies together
    message    ANY NOT NULL,                    -- store/event_key.h
    parent     INTEGER NOT NULL,
    role       INTEGER NOT NULL,                -- system, user, assistant
    at_ms      INTEGER NOT NULL,
    session    INTEGER GENERATED ALWAYS AS (id >> 20) VIRTUAL,
    seq        INTEGER GENERATED ALWAYS AS (id & 1048575) VIRTUAL,
    message_id TEXT GENERATED ALWAYS AS (CASE typeof(message) WHEN 'text' THEN message ELSE 'msg_' ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 839299365868340224 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 13537086546263552 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 218340105584896 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 3521614606208 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 56800235584 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 916132832 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 14776336 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 238328 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 3844 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message / 62 % 62 + 1, 1) ||
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', message % 62 + 1, 1) END) VIRTUAL
) STRICT;
INSERT INTO messages_short(id, message, parent, role, at_ms) SELECT id, message_id, parent, role, at_ms FROM messages ORDER BY id;
DROP TABLE messages;
ALTER TABLE messages_short RENAME TO messages;

CREATE VIEW attempts AS
SELECT id AS event, 1 AS n, upstream, after_ms, wait_us, duration_us, http_status, error, reserved_in, reserved_out,
       provider_request_id, model, reason, prompt, completion, estimated, iif(rate, cost_in, NULL) AS cost_in,
       iif(rate, cost_out, NULL) AS cost_out
FROM events WHERE http_status IS NOT NULL
UNION ALL
SELECT event, n, upstream, after_ms, wait_us, duration_us, http_status, error, reserved_in, reserved_out,
       provider_request_id, model, reason, prompt, completion, estimated, cost_in, cost_out
FROM attempt_rows;

CREATE VIEW token_usage(id, user_id, session_id, tokens_used, api_endpoint, priority_level, timestamp) AS
SELECT e.request_id, u.user_id, s.session_id, e.prompt + e.completion, w.text,
       CASE e.priority WHEN 0 THEN 'Low' WHEN 1 THEN 'Medium' ELSE 'High' END,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.at_ms / 1000.0, 'unixepoch')
FROM events e JOIN users u ON u.id = e.user LEFT JOIN sessions s ON s.id = e.session LEFT JOIN words w ON w.id = e.endpoint
WHERE e.state = 2;

DROP TABLE contents_words;
CREATE VIRTUAL TABLE contents_words USING fts5(text, content='contents', content_rowid='id', columnsize=0);
INSERT INTO contents_words(rowid, text) SELECT id, text FROM contents WHERE sealed IS NULL AND marked IS NULL;
