-- Admits a job, or returns when to retry.
-- Invariants:
-- - No user has more open jobs than their limit, nor more than the capacity that is left. That threshold falls as the system fills
--   (Choudhury and Hahne 1998, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", section 3), so no user takes all of it.
-- - Each refused request of a user is promised capacity at a different time. New requests of the user rank behind promises that are due,
--   so the capacity is there when the client retries. A promise that is not used expires after LATE_MS.
-- KEYS see prelude.lua. ARGV job, user, until (ms; the job has ended by then), the user's limit of open jobs ('' for none), places (limit of
-- all open jobs), longest wait (ms; '' for any), '1' for a retry after a refusal, bytes of the job, bytes that all open jobs of the user may
-- have.
-- Returns {'in'}, or {'limit' | 'bytes' | 'full' | 'wait', ms until capacity is expected, jobs ahead of it, ms that it would wait}.
local job, user, now, until_ms = ARGV[1], ARGV[2], redis_time(), tonumber(ARGV[3])
local limit, places, longest = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local member, line = job .. ' ' .. user, promised .. ':' .. user

-- Retries may come this early, since Retry-After has whole seconds, or this late.
local EARLY_MS, LATE_MS = 1000, 3000
-- The measured pace does not predict further ahead.
local FARTHEST_MS = 600000

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', open, '-inf', now, 'LIMIT', 0, 100)) do
  leave(gone, string.match(gone, ' (.*)$'), '', now)
end
if redis.call('ZSCORE', open, member) then return { 'in' } end

local total, mine = redis.call('ZCARD', open), tonumber(redis.call('HGET', users, user) or 0)
local active = redis.call('HLEN', users) + (mine == 0 and 1 or 0)
local known = redis.call('HMGET', pace, 'slots', 'at', 'mean')
-- If all slots are taken and no job has ended for long, the real pace is slower than the mean.
local between = known[3] and math.max(tonumber(known[3]), known[2] and (now - tonumber(known[2])) / 5 or 0)
-- Users share the slots: each user gets one of `active` ends.
local turn = between and between * active or 1000
redis.call('ZREMRANGEBYSCORE', line, '-inf', now - LATE_MS)
local due = redis.call('ZRANGEBYSCORE', line, '-inf', now + EARLY_MS)
local claimed = ARGV[7] == '1' and due[1]
local before = mine + (claimed and 0 or #due)
-- Without open jobs the wait is 0, even if no worker was seen lately: the next job's end reports the number of slots again.
local wait = between and total > 0 and total >= tonumber(known[1]) and not claimed and (before + 1) * turn or 0

local why = nil
if claimed then redis.call('ZREM', line, claimed) end
local size, most_bytes = tonumber(ARGV[8]), tonumber(ARGV[9])
if limit and before >= limit then
  why = 'limit'
elseif mine > 0 and bytes_of(user) + size > most_bytes then
  why = 'bytes'
elseif before >= places - total then
  why = 'full'
elseif longest and wait > longest then
  why = 'wait'
end
if not why then
  redis.call('ZADD', open, until_ms, member)
  redis.call('HINCRBY', users, user, 1)
  if mine == 0 then redis.call('DEL', bytes .. ':' .. user) end
  add_bytes(job, user, size)
  note_open(total + 1, tonumber(known[1] or ''), now)
  return { 'in' }
end

local earliest = why == 'wait' and now + wait - longest or now
local last = redis.call('ZRANGE', line, -1, -1, 'WITHSCORES')[2] or 0
local place = math.min(math.max(earliest, tonumber(last)) + turn, now + FARTHEST_MS)
redis.call('ZADD', line, string.format('%.0f', place), job)
redis.call('PEXPIRE', line, FARTHEST_MS + LATE_MS)
return { why, math.ceil(place - now), before, math.ceil(wait) }
