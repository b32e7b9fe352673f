-- An attempt has its own model, the reason it went where it went, what it used and cost; the sums are the event's.
-- NULL: before this was kept. `asked` is the word of the model asked for, 0 where that is the event's own.

ALTER TABLE events ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN model INTEGER;
ALTER TABLE attempts ADD COLUMN reason INTEGER;      -- rules/choice.h
ALTER TABLE attempts ADD COLUMN prompt INTEGER;
ALTER TABLE attempts ADD COLUMN completion INTEGER;
ALTER TABLE attempts ADD COLUMN estimated INTEGER;
ALTER TABLE attempts ADD COLUMN cost_in INTEGER;     -- NULL also where no price was known
ALTER TABLE attempts ADD COLUMN cost_out INTEGER;
