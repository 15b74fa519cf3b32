-- Extends a reservation to the time when its job must have ended. The job record exists now, so the job's outcome will release it.
-- KEYS: see prelude.lua. ARGV job, until (ms).
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1]) end
