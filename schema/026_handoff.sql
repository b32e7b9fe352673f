-- When a session was given to another user last; NULL: never. Its requests before that stay those of whoever made them.
ALTER TABLE sessions ADD COLUMN handed_ms INTEGER;
