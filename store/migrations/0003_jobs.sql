-- Background jobs, leased like ranges: the epoch fences every write of an earlier holder.
CREATE TABLE jobs (
  id          TEXT PRIMARY KEY,             -- kind and scan: asking for the same work twice makes one job
  kind        TEXT NOT NULL,                -- Merge
  scan        TEXT NOT NULL,
  state       TEXT NOT NULL,                -- Queued, Running, Done, Failed
  holder      TEXT,
  epoch       BIGINT NOT NULL DEFAULT 0,
  lease_until BIGINT,
  not_before  BIGINT NOT NULL,
  attempts    BIGINT NOT NULL DEFAULT 0,    -- failed tries in a row
  lost        BIGINT NOT NULL DEFAULT 0,    -- leases that ran out in a row: their holders died
  error       TEXT,
  created_at  BIGINT NOT NULL
);
CREATE INDEX jobs_waiting ON jobs (not_before) WHERE state IN ('Queued', 'Running');
CREATE INDEX jobs_of_scan ON jobs (scan);

-- Merged results. The row is the visibility point of its version; it outlives the scan.
CREATE TABLE results (
  tenant      TEXT NOT NULL,
  platform    TEXT NOT NULL,
  account_id  TEXT NOT NULL,                -- id, or id@host where a platform has many servers
  version     BIGINT NOT NULL,              -- from 1, without holes
  scan        TEXT NOT NULL UNIQUE,
  manifest    TEXT NOT NULL,
  parts       TEXT NOT NULL,                -- JSON array of keys
  sha256      TEXT NOT NULL,                -- of the manifest
  lines       BIGINT NOT NULL,              -- followers
  duplicates  BIGINT NOT NULL,
  unread      BIGINT NOT NULL,
  certificate TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (tenant, platform, account_id, version)
);
