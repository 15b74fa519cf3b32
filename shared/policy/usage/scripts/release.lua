-- Gives back what was reserved for a job that was not accepted after all.
-- KEYS see prelude.lua. ARGV job.
settle(KEYS[1], KEYS[2], KEYS[3], ARGV[1])
