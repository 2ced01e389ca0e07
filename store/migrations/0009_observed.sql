-- What the pages of a scan showed of its list, and which program the server said it runs: evidence of certificates.
ALTER TABLE scans ADD COLUMN observed TEXT;
ALTER TABLE scans ADD COLUMN server TEXT;
