-- What a budget has spent is what the calls of its window cost: the sum of their roll-ups, read at start. A second
-- copy of it could only disagree.

DROP TABLE budget_spend;
