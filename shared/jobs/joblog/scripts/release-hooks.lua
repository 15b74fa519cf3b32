-- Ends an attempt to run a job's completion hooks: failed hooks are scheduled again; when none failed, the job is removed.
-- Invariant: a job is in all three keys or in none.
-- KEYS due hooks (by time), hooks (waiting since), hooks (names by job). ARGV job, hooks that failed, failed attempts, next attempt (ms).
local due, since, owed = KEYS[1], KEYS[2], KEYS[3]
local job, left, attempts, turn = unpack(ARGV)

if left == '' then
  redis.call('ZREM', due, job)
  redis.call('ZREM', since, job)
  redis.call('HDEL', owed, job)
else
  redis.call('ZADD', due, turn, job)
  redis.call('ZADD', since, 'NX', turn, job)
  redis.call('HSET', owed, job, attempts .. ' ' .. left)
end
return 1
