-- The oldest texts and the sessions nobody used lately are found without reading all of them.

CREATE INDEX messages_at ON messages(at_ms);
CREATE INDEX sessions_idle ON sessions(updated_ms) WHERE deleted_ms IS NULL;

-- Text and reasoning under the key of the person whose session it is; text is then ''.
ALTER TABLE contents ADD COLUMN sealed BLOB;
