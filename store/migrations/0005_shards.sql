-- Sorted runs: the rows of pages in order of ids, on their way into a result. Gone once the result is there.
CREATE TABLE runs (
  scan        TEXT NOT NULL REFERENCES scans (uid) ON DELETE CASCADE,
  run         BIGINT NOT NULL,              -- from 1, in the order in which they were begun
  level       BIGINT NOT NULL,              -- 0 of pages, n + 1 of runs up to n, -1 the result's own
  state       TEXT NOT NULL,                -- Open: objects are being added; Live; Merged: into another
  range_id    BIGINT,                       -- of pages: their range, the first and the last of them
  first_seq   BIGINT,
  last_seq    BIGINT,
  lines       BIGINT NOT NULL,              -- of its pages
  unread      BIGINT NOT NULL,              -- those that are no rows
  line_rows   BIGINT NOT NULL,              -- followers in it
  merged_into BIGINT,
  plan        TEXT,                         -- of what and how it is merged, as JSON
  owner       TEXT NOT NULL,                -- the job that may add objects, and its epoch
  owner_epoch BIGINT NOT NULL,
  PRIMARY KEY (scan, run)
);
-- Pages are in one run only, and one run at a time is merged from others.
CREATE UNIQUE INDEX runs_of_pages ON runs (scan, range_id, first_seq) WHERE level = 0;
CREATE UNIQUE INDEX runs_open ON runs (scan) WHERE state = 'Open';

-- The objects of a run, in order of ids by lane and piece.
CREATE TABLE shards (
  scan        TEXT NOT NULL REFERENCES scans (uid) ON DELETE CASCADE,
  run         BIGINT NOT NULL,
  lane        BIGINT NOT NULL,              -- a stretch of ids that is merged by itself
  piece       BIGINT NOT NULL,
  is_last     BIGINT NOT NULL,              -- of its lane
  key         TEXT NOT NULL,
  sha256      TEXT NOT NULL,                -- of the object
  bytes       BIGINT NOT NULL,
  tail_sha256 TEXT NOT NULL,                -- of its footer, which holds the hash of each row group
  tail_bytes  BIGINT NOT NULL,
  line_rows   BIGINT NOT NULL,
  trimmed     BIGINT NOT NULL,              -- followers that a row cap left out between the piece before and its end
  min_id      TEXT NOT NULL,
  max_id      TEXT NOT NULL,
  PRIMARY KEY (scan, run, lane, piece)
);
CREATE INDEX shards_key ON shards (key);

-- The range whose pages a Compact job sorts.
ALTER TABLE jobs ADD COLUMN range_id BIGINT;

-- Objects that no row names, and when that was first seen: deleted after a day.
CREATE TABLE strays (
  key     TEXT PRIMARY KEY,
  seen_at BIGINT NOT NULL
);
