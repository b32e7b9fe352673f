-- Whether somebody has the panel of monitoring beside their conversations open.

ALTER TABLE users ADD COLUMN show_monitoring INTEGER NOT NULL DEFAULT 0;
