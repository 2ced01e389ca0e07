-- Scans that go on from an earlier result, and what it is recognised by.
ALTER TABLE scans ADD COLUMN since TEXT;  -- latest, or a version
ALTER TABLE results ADD COLUMN head TEXT; -- key of the ids of its newest rows
