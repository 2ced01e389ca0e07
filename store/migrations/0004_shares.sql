-- Scans that share a credential's windows: how much of them each could have had by now.
CREATE TABLE shares (
  credential TEXT NOT NULL,
  family     TEXT NOT NULL,
  fair_time  BIGINT NOT NULL,               -- parts of a slot, each slot divided by the scans that wanted one
  PRIMARY KEY (credential, family)
);
ALTER TABLE scans ADD COLUMN fair_from BIGINT; -- the fair time when it first wanted a page
CREATE INDEX scans_listing ON scans (credential) WHERE stage = 'Scanning';

-- Every step asks for its scan's own open permits: without the scan in the index it reads all there ever were.
DROP INDEX permits_open;
CREATE INDEX permits_open ON permits (scan, settle_by) WHERE state = 'Open';
