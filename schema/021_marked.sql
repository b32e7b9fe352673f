-- What a running answer has come to is written again and again: its words are found once it is whole. 1: not yet.

ALTER TABLE contents ADD COLUMN marked INTEGER;
