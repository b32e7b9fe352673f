-- Usage that a provider reported and Weir does not believe is told of: it is what money is counted by.

CREATE INDEX events_suspect ON events(id) WHERE suspect = 1;
INSERT INTO alert_rules(rule_id, kind, threshold, for_ms, least, created_ms) VALUES ('rul_usage_suspect', 9, 0, 0, 0, 0);
