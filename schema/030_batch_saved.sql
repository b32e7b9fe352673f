-- When what became of a batch's items was written down last: what a kill after it cannot take.

ALTER TABLE batches ADD COLUMN saved_ms INTEGER;
