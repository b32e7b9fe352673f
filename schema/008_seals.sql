-- The ledger proves itself. SQLite does not notice a flipped byte in a row, so for each quarter of an hour the sum of
-- the hashes of its rows stands beside it, added to in the transaction that settles (store/seal.h).

CREATE TABLE seals (
    id        INTEGER PRIMARY KEY,              -- quarter since 1970; -1 words, -2 rates, -3 combos
    events    INTEGER NOT NULL,                 -- rows that are in the sum
    attempts  INTEGER NOT NULL,
    hash      BLOB,                             -- NULL: some were there before this was kept
    pruned_ms INTEGER                           -- its events were removed on purpose
) STRICT;
INSERT INTO seals SELECT -1, count(*), 0, iif(count(*), NULL, zeroblob(16)), NULL FROM words;
INSERT INTO seals SELECT -2, count(*), 0, iif(count(*), NULL, zeroblob(16)), NULL FROM rates;
INSERT INTO seals SELECT -3, count(*), 0, iif(count(*), NULL, zeroblob(16)), NULL FROM combos;
INSERT INTO seals SELECT id / 943718400000, count(*), 0, NULL, NULL FROM events WHERE state = 2 GROUP BY 1;
UPDATE seals SET attempts = (SELECT count(*) FROM attempts WHERE event >= seals.id * 943718400000
                             AND event < (seals.id + 1) * 943718400000) WHERE id >= 0;

-- Answers that were deleted, or never kept because what they answer was gone: so many are missing rightly.
ALTER TABLE sessions ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET removed = (SELECT count(*) FROM events e WHERE e.session = sessions.id AND e.session > 0
                               AND e.answer > 0 AND e.state = 2 AND (e.status = 0 OR e.chars > 0)
                               AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = (e.session << 20 | e.answer)));

INSERT INTO alert_rules(rule_id, kind, threshold, for_ms, least, created_ms) VALUES ('rul_ledger_check', 7, 0, 0, 0, 0);
