-- Releases the reservation of a job that was not accepted.
-- KEYS: see prelude.lua. ARGV job.
settle(KEYS[1], KEYS[2], KEYS[3], ARGV[1])
