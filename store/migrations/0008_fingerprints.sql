-- Which token a credential stands for, told without the token.
CREATE TABLE fingerprints (
  credential  TEXT PRIMARY KEY,             -- namespace/name
  fingerprint TEXT NOT NULL,                -- first twelve hexadecimal digits of the token's SHA-256
  seen_at     BIGINT NOT NULL               -- when it was first used
);
