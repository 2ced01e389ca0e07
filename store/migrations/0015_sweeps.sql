-- Passes over an index list; NULL = 1.
ALTER TABLE scans ADD COLUMN sweeps BIGINT;
