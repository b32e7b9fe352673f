-- How large a client's share is beside the others', in thousandths. A token with a weight of its own is a client of its own;
-- one without (NULL) shares its user's.

ALTER TABLE users ADD COLUMN weight INTEGER NOT NULL DEFAULT 1000 CHECK (weight BETWEEN 10 AND 100000);
ALTER TABLE tokens ADD COLUMN weight INTEGER CHECK (weight BETWEEN 10 AND 100000);
