-- Requests with an Idempotency-Key: who sent what under which, and what was answered (store/idempotency.h).

CREATE TABLE idempotency (
    id         INTEGER PRIMARY KEY,
    user       INTEGER NOT NULL REFERENCES users(id),
    endpoint   INTEGER NOT NULL,             -- words
    key        TEXT NOT NULL,
    body       BLOB NOT NULL,                -- SHA-256
    request_id TEXT NOT NULL UNIQUE,
    at_ms      INTEGER NOT NULL,
    state      INTEGER NOT NULL,             -- 1 running, 2 answered, 3 answered but not kept, 4 interrupted
    sealed     INTEGER NOT NULL DEFAULT 0,
    answer     BLOB,
    UNIQUE (user, endpoint, key)
) STRICT;
