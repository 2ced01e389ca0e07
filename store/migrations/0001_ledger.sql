-- The ledger of scans. Times are microseconds since 1970, money is nano-dollars, booleans are 0 and 1.
CREATE TABLE scans (
  uid TEXT PRIMARY KEY,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  generation BIGINT NOT NULL,
  platform TEXT NOT NULL,
  handle TEXT NOT NULL,
  host TEXT,
  base_url TEXT NOT NULL,
  credential TEXT NOT NULL,
  auth TEXT NOT NULL,
  rules TEXT NOT NULL,
  budget BIGINT NOT NULL,
  monthly_budget BIGINT,
  max_rows BIGINT NOT NULL,
  max_runners BIGINT NOT NULL,
  rows_per_range BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  mode TEXT NOT NULL,
  dry_run BIGINT NOT NULL,
  stage TEXT NOT NULL,
  hold TEXT,
  hold_rounds BIGINT NOT NULL DEFAULT 0,
  failure TEXT,
  report TEXT,
  probes TEXT NOT NULL DEFAULT '[]',
  plan TEXT,
  spent BIGINT NOT NULL DEFAULT 0,
  reserved BIGINT NOT NULL DEFAULT 0,
  ambiguous BIGINT NOT NULL DEFAULT 0,
  lines BIGINT NOT NULL DEFAULT 0,
  requests TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  ended_at BIGINT
);

CREATE TABLE ranges (
  scan TEXT NOT NULL REFERENCES scans (uid) ON DELETE CASCADE,
  id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  lo BIGINT,
  hi BIGINT,
  walk TEXT NOT NULL,
  position BIGINT NOT NULL,
  cursor TEXT,
  claimed BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  holder TEXT,
  lease_until BIGINT,
  leased_at BIGINT,
  state TEXT NOT NULL,
  not_before BIGINT,
  attempts BIGINT NOT NULL,
  lines BIGINT NOT NULL,
  lease_lines BIGINT NOT NULL,
  expected BIGINT NOT NULL,
  meets BIGINT,
  PRIMARY KEY (scan, id)
);

CREATE TABLE pages (
  scan TEXT NOT NULL REFERENCES scans (uid) ON DELETE CASCADE,
  range_id BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  key TEXT NOT NULL UNIQUE,
  sha256 TEXT NOT NULL,
  lines BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  input_position BIGINT NOT NULL,
  input_cursor TEXT,
  output_position BIGINT NOT NULL,
  output_cursor TEXT,
  exhausted BIGINT NOT NULL,
  permit TEXT NOT NULL,
  price BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  committed_at BIGINT NOT NULL,
  PRIMARY KEY (scan, range_id, seq)
);

CREATE TABLE permits (
  id TEXT PRIMARY KEY,
  scan TEXT NOT NULL REFERENCES scans (uid) ON DELETE CASCADE,
  range_id BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  family TEXT NOT NULL,
  credential TEXT NOT NULL,
  position BIGINT NOT NULL,
  cursor TEXT,
  max_rows BIGINT NOT NULL,
  price BIGINT NOT NULL,
  state TEXT NOT NULL,
  granted_at BIGINT NOT NULL,
  start_by BIGINT NOT NULL,
  settle_by BIGINT NOT NULL
);
CREATE INDEX permits_unsettled ON permits (scan, range_id, seq) WHERE state IN ('Open', 'Ambiguous');
CREATE INDEX permits_open ON permits (settle_by) WHERE state = 'Open';

-- One row a charge; the permit is its idempotency key.
CREATE TABLE usage (
  permit TEXT PRIMARY KEY,
  scan TEXT NOT NULL,
  credential TEXT NOT NULL,
  kind TEXT NOT NULL,
  lines BIGINT NOT NULL,
  price BIGINT NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX usage_of_credential ON usage (credential, at);

CREATE TABLE windows (
  credential TEXT NOT NULL,
  family TEXT NOT NULL,
  window_ms BIGINT NOT NULL,
  requests BIGINT NOT NULL,
  used BIGINT NOT NULL,
  reset BIGINT,
  told BIGINT NOT NULL,
  PRIMARY KEY (credential, family, window_ms)
);

CREATE TABLE sandboxes (
  uid TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  scan TEXT NOT NULL,
  token_sha256 TEXT NOT NULL UNIQUE,
  issued_at BIGINT NOT NULL,
  seen_at BIGINT
);

CREATE TABLE locks (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until BIGINT NOT NULL
);

-- Objects to delete, by prefix.
CREATE TABLE erasures (
  prefix TEXT PRIMARY KEY,
  asked_at BIGINT NOT NULL
);
