-- Clocks of the sandboxes, as far as the ledger compares them with its own.

-- When the holder sent the request whose answer brought the permit last, by the holder's clock; NULL = not known.
ALTER TABLE permits ADD COLUMN asked_at BIGINT;
-- Milliseconds by which the sandbox's clock is ahead of the control plane's; NULL = not compared yet.
ALTER TABLE sandboxes ADD COLUMN skew_ms BIGINT;
-- Requests per window by the platform's headers, beside the stated ones; NULL = not reported. The row of length -1 is the
-- window that the headers speak of and nothing states; its `requests` are its longest known length in milliseconds.
ALTER TABLE windows ADD COLUMN reported BIGINT;
