-- A row of the audit log is signed with a key that is not in the database. Rows from before have a plain hash in this
-- column; the first signed row covers the last of them.
--
-- Rows may go only where a signed row says so: 'audit.pruned', whose object is the last number that is gone.

ALTER TABLE audit RENAME COLUMN hash TO mac;      -- 32 bytes: SHA-256; 33: 1, HMAC-SHA-256
CREATE INDEX audit_pruned ON audit(seq) WHERE action = 'audit.pruned';
DROP TRIGGER audit_no_delete;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
WHEN OLD.seq > coalesce((SELECT CAST(object AS INTEGER) FROM audit WHERE action = 'audit.pruned' ORDER BY seq DESC LIMIT 1), 0)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
