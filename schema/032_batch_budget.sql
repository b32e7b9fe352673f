-- What a batch may cost in all, in picodollars; NULL: whatever its owner's budgets pay for. `paused` is 2 where that is used up.

ALTER TABLE batches ADD COLUMN budget INTEGER;
