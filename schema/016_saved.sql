-- What an answer given again from the cache saved, in picodollars; -1 where the model had no price; NULL for all others.

ALTER TABLE events ADD COLUMN saved INTEGER;
