-- How many of a session's oldest messages a prompt left out, because the model's window was full; NULL for none.

ALTER TABLE events ADD COLUMN omitted INTEGER;
