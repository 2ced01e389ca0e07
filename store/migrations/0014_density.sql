-- How densely rows lie where a range begins and at its checkpoint: rows and the positions they take, 0 while unknown.
ALTER TABLE ranges ADD COLUMN first_lines BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ranges ADD COLUMN first_extent BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ranges ADD COLUMN last_lines BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ranges ADD COLUMN last_extent BIGINT NOT NULL DEFAULT 0;
