-- Charges that outlive their scan, credentials of chains, cursors that a range has used, numbers of versions.

-- Charges above what permits had reserved: the platform returned more rows than requested.
ALTER TABLE scans ADD COLUMN surplus BIGINT NOT NULL DEFAULT 0;

-- The credential of a range's lease, and of a chain's tokens, with its limits as JSON; NULL before the first lease.
ALTER TABLE ranges ADD COLUMN terms TEXT;
-- First page since the range last started at its first place; cursors of earlier pages may return.
ALTER TABLE ranges ADD COLUMN pass_from BIGINT NOT NULL DEFAULT 0;

-- First 8 bytes of the SHA-256 of input_cursor: cursors can be longer than an index entry may be.
ALTER TABLE pages ADD COLUMN input_hash BIGINT;
CREATE INDEX pages_cursors ON pages (scan, range_id, input_hash) WHERE input_hash IS NOT NULL;

-- Possible charges of deleted scans. They count in the month in which their outcome was due.
CREATE TABLE ambiguous_charges (
  permit     TEXT PRIMARY KEY,
  scan       TEXT NOT NULL,
  credential TEXT NOT NULL,
  kind       TEXT NOT NULL,
  price      BIGINT NOT NULL,
  at         BIGINT NOT NULL                -- settle_by of the permit
);
CREATE INDEX ambiguous_charges_of_credential ON ambiguous_charges (credential, at);
-- Each permit of a paid platform sums the credential's month.
CREATE INDEX permits_held ON permits (credential, settle_by) WHERE state IN ('Open', 'Ambiguous');

-- The greatest version ever given to an account's result; it outlives the result.
CREATE TABLE result_versions (
  tenant     TEXT NOT NULL,
  platform   TEXT NOT NULL,
  account_id TEXT NOT NULL,
  newest     BIGINT NOT NULL,
  PRIMARY KEY (tenant, platform, account_id)
);
INSERT INTO result_versions (tenant, platform, account_id, newest)
  SELECT tenant, platform, account_id, MAX(version) FROM results GROUP BY tenant, platform, account_id;
