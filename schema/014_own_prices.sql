-- Prices an administrator sets: they lie over the table Weir was built with. A change ends one row and begins another, so
-- that every price that ever counted is there. (The table of that name before was never used.)
DROP TABLE prices;
CREATE TABLE own_prices (
    id             INTEGER PRIMARY KEY,
    price_id       TEXT NOT NULL,               -- stays through its changes
    version        INTEGER NOT NULL,            -- of it, from 1
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    rate_in        INTEGER NOT NULL,            -- picodollars per token, as all rates
    rate_out       INTEGER NOT NULL,
    cache_read     INTEGER,
    cache_write    INTEGER,
    cache_write_1h INTEGER,
    created_ms     INTEGER NOT NULL,
    created_by     TEXT NOT NULL,
    ended_ms       INTEGER
) STRICT;
CREATE UNIQUE INDEX own_prices_in_force ON own_prices(provider, model) WHERE ended_ms IS NULL;
CREATE INDEX own_prices_of ON own_prices(price_id);
