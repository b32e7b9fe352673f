-- A batch names its input also when that file is gone.

ALTER TABLE batches ADD COLUMN input_file TEXT NOT NULL DEFAULT '';
UPDATE batches SET input_file = coalesce((SELECT file_id FROM files WHERE files.id = batches.input), '');
