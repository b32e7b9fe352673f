-- An hour or a day out of the ordinary is told of, as the other things that nobody would look for.

INSERT INTO alert_rules(rule_id, kind, threshold, for_ms, least, created_ms) VALUES ('rul_anomaly', 8, 0, 0, 0, 0);
