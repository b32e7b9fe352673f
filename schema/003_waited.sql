-- How an event waited, for those that did: what held it, and the start it was promised (store/waited.h). NULL for most,
-- which takes one byte.

ALTER TABLE events ADD COLUMN waited TEXT;
