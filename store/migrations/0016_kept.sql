-- Present limits of the credential that a chain keeps (JSON); NULL = no chain keeps one.
ALTER TABLE scans ADD COLUMN kept TEXT;
