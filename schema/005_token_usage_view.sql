-- The ledger as a table that spreadsheets and BI tools read without knowing it: one row for each settled call.

CREATE VIEW token_usage(id, user_id, session_id, tokens_used, api_endpoint, priority_level, timestamp) AS
SELECT e.request_id, u.user_id, s.session_id, e.prompt + e.completion, w.text,
       CASE e.priority WHEN 0 THEN 'Low' WHEN 1 THEN 'Medium' ELSE 'High' END,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.at_ms / 1000.0, 'unixepoch')
FROM events e JOIN users u ON u.id = e.user LEFT JOIN sessions s ON s.id = e.session LEFT JOIN words w ON w.id = e.endpoint
WHERE e.state = 2;
