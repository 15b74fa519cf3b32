-- Takes hooks whose time has come, so that one process runs them.
-- Invariant: nobody else takes them before the lease ends; who dies with them loses only that time.
-- KEYS due hooks, hooks (their duties). ARGV now (ms), lease's end (ms), at most so many.
-- Returns job, '<failed attempts> <duties>', job, ...
local due, owed = KEYS[1], KEYS[2]
local now, ends, atMost = unpack(ARGV)

local claimed = {}
for _, job in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, atMost)) do
  redis.call('ZADD', due, ends, job)
  claimed[#claimed + 1] = job
  claimed[#claimed + 1] = redis.call('HGET', owed, job) or '0 '
end
return claimed
