-- Operations: what is metered but not called by Weir itself. Units are what one counts in beside tokens; NULL for all others.

ALTER TABLE events ADD COLUMN units INTEGER;

-- Leases that are not settled. They outlive the Weir that gave them, and go when their event is settled.
CREATE TABLE leases (
    event      INTEGER PRIMARY KEY,             -- whose counted and max_tokens are the estimate's tokens
    units      INTEGER NOT NULL,                -- the estimate's
    unit_price INTEGER NOT NULL,                -- picodollars
    granted_ms INTEGER NOT NULL,                -- 0: it waits still
    expires_ms INTEGER NOT NULL
) STRICT;
