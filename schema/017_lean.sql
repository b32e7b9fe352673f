-- Less room for each request. An attempt that is all there was of its request lies in the event's own row: what the event
-- says already is not said twice. Only attempts that differ from their event (there were several, or it was interrupted
-- between them), and those from before, have rows of their own. `attempts` shows both.
ALTER TABLE events ADD COLUMN after_ms INTEGER;
ALTER TABLE events ADD COLUMN wait_us INTEGER;
ALTER TABLE events ADD COLUMN duration_us INTEGER;
ALTER TABLE events ADD COLUMN http_status INTEGER;        -- NULL: its attempts are elsewhere, or there was none
ALTER TABLE events ADD COLUMN reserved_in INTEGER;
ALTER TABLE events ADD COLUMN reserved_out INTEGER;
ALTER TABLE events ADD COLUMN reason INTEGER;
ALTER TABLE events ADD COLUMN provider_request_id TEXT;
ALTER TABLE attempts RENAME TO attempt_rows;
CREATE VIEW attempts AS
SELECT id AS event, 1 AS n, upstream, after_ms, wait_us, duration_us, http_status, error, reserved_in, reserved_out,
       provider_request_id, model, reason, prompt, completion, estimated, iif(rate, cost_in, NULL) AS cost_in,
       iif(rate, cost_out, NULL) AS cost_out
FROM events WHERE http_status IS NOT NULL
UNION ALL
SELECT event, n, upstream, after_ms, wait_us, duration_us, http_status, error, reserved_in, reserved_out,
       provider_request_id, model, reason, prompt, completion, estimated, cost_in, cost_out
FROM attempt_rows;

-- Which session has the oldest text, instead of when each message was written.
DROP INDEX messages_at;
ALTER TABLE sessions ADD COLUMN texts_ms INTEGER;         -- no text in it is older; NULL: there is none
UPDATE sessions SET texts_ms = (SELECT min(m.at_ms) FROM contents c JOIN messages m ON m.id = c.id
                                WHERE c.id >= sessions.id << 20 AND c.id < (sessions.id + 1) << 20);
CREATE INDEX sessions_texts ON sessions(texts_ms) WHERE texts_ms IS NOT NULL;
