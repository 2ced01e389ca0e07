-- Scans that go on from an earlier result, and what it is recognised by.
ALTER TABLE scans ADD COLUMN since TEXT;    -- latest, or a version
ALTER TABLE results ADD COLUMN head TEXT;   -- key of the ids of its newest rows

-- A result outlives its scan: what the account was called is kept beside it.
ALTER TABLE results ADD COLUMN handle TEXT;
ALTER TABLE results ADD COLUMN host TEXT;
UPDATE results SET handle = (SELECT s.handle FROM scans s WHERE s.uid = results.scan),
                   host = (SELECT s.host FROM scans s WHERE s.uid = results.scan);
