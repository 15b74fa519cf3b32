-- Ends a try of a job's hooks: what is still owed waits for its next turn, else all of it goes.
-- Invariant: a job stands in all three keys or in none.
-- KEYS due hooks, hooks (by since when they wait), hooks (their duties). ARGV job, duties that are still owed, failed attempts, next turn (ms).
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
