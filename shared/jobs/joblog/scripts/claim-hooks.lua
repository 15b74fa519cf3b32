-- Leases completion hooks that are due to one process.
-- Invariant: no other process takes them before the lease ends. If the process dies, its hooks run again after the lease.
-- KEYS due hooks, hooks (names by job). ARGV now (ms), lease's end (ms), maximum number of jobs.
-- Returns job, '<failed attempts> <hook names>', job, ...
local due, owed = KEYS[1], KEYS[2]
local now, ends, atMost = unpack(ARGV)

local claimed = {}
for _, job in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, atMost)) do
  redis.call('ZADD', due, ends, job)
  claimed[#claimed + 1] = job
  claimed[#claimed + 1] = redis.call('HGET', owed, job) or '0 '
end
return claimed
