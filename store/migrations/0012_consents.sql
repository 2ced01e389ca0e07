-- What allows a scan to spend: its budget, or a lease that an attached command renews.
ALTER TABLE scans ADD COLUMN consent TEXT NOT NULL DEFAULT 'Budget';  -- Budget, Lease
CREATE TABLE consents (
  scan   TEXT PRIMARY KEY,                  -- uid; may be here before the scan is
  holder TEXT NOT NULL,                     -- new with every command
  until  BIGINT NOT NULL
);
