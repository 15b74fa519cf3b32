-- Keeps a reservation until its job has ended in any case: the job has its record, so somebody tells its end.
-- KEYS see prelude.lua. ARGV job, until (ms).
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1]) end
