-- Several people: what each may use of what there is, and how they signed in.

-- Limits of one's own, 0 = none; filters is JSON: {"models":[…],"max_prompt_tokens":n,"patterns":[{name, pattern, action}…]}.
ALTER TABLE users ADD COLUMN requests_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN tokens_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN filters TEXT;
-- Removed: the row stays, because the ledger names it; nobody can sign in as it again.
ALTER TABLE users ADD COLUMN removed_ms INTEGER;

ALTER TABLE tokens ADD COLUMN requests_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN tokens_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN filters TEXT;

-- A proxy in front said who it is, and has to say so with each request.
ALTER TABLE web_sessions ADD COLUMN by_proxy INTEGER NOT NULL DEFAULT 0;
