-- The token that a browser was signed in with: what ends or narrows it ends the browser's session too. NULL: none was.

ALTER TABLE web_sessions ADD COLUMN token TEXT REFERENCES tokens(token_id);
