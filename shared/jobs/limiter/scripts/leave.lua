-- A job has ended, or was not accepted after all. Again for the same job it changes nothing.
-- KEYS see prelude.lua. ARGV job, user, slots of all workers ('' where they are not known), '1' for a job that ran, '' for one that was not accepted.
leave(ARGV[1] .. ' ' .. ARGV[2], ARGV[2], ARGV[3], ARGV[4] == '1' and redis_time())
