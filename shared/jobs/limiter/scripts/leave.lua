-- Removes a job that has ended, or that was not accepted after all. Idempotent by job.
-- KEYS see prelude.lua. ARGV job, user, slots of all workers ('' where unknown), '1' for a job that ran, '' for one that was not accepted.
leave(ARGV[1] .. ' ' .. ARGV[2], ARGV[2], ARGV[3], ARGV[4] == '1' and redis_time())
