-- The words of the messages, so that a conversation is found by what was said in it. The text itself stays in
-- contents alone; what is sealed there has none to be found by. store/content.c keeps both alike: a trigger
-- may not, as schemas are not trusted with virtual tables.

CREATE VIRTUAL TABLE contents_words USING fts5(text, content='contents', content_rowid='id');
INSERT INTO contents_words(contents_words) VALUES ('rebuild');
