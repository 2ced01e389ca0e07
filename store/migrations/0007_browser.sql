-- Two sources: each range is read from one, each has its own credential and its own reason to wait.
ALTER TABLE ranges ADD COLUMN source TEXT NOT NULL DEFAULT 'Api';     -- Api or Browser
ALTER TABLE scans ADD COLUMN source TEXT NOT NULL DEFAULT 'Auto';     -- what the user wants: Auto, Api or Browser
ALTER TABLE scans ADD COLUMN browser TEXT;                            -- how a browser reaches the list, as JSON
ALTER TABLE scans ADD COLUMN browser_hold TEXT;                       -- why its browsers do not go on, as JSON
