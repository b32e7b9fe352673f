-- The token that a token was made with, its user's own: it ends with it.

ALTER TABLE tokens ADD COLUMN made_by INTEGER REFERENCES tokens;
CREATE INDEX tokens_made_by ON tokens(made_by) WHERE made_by IS NOT NULL;
