-- The files that a batch has left: without it each look at a batch read all files of its owner, or of everybody.

CREATE INDEX files_batch ON files(batch) WHERE batch IS NOT NULL;
