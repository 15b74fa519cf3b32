-- The open jobs, and how fast jobs end.
-- KEYS:
--   open      zset: `<job> <user>` -> time (ms) at which the job is removed if its end was not reported
--   users     hash: user -> number of open jobs
--   pace      hash: see below
--   promised  prefix; `<promised>:<user>`, zset: times (ms) at which refused jobs of the user may be retried
--   bytes     prefix; `<bytes>:<user>`, hash: size of each open job of the user, and their sum in `total`
-- Invariants: `users` counts `open` by user; `total` is the sum of its hash, which exists while the user has open jobs.
local open, users, pace, promised, bytes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

-- Redis's clock, the same for all processes. Callers' clocks are not used.
local function redis_time()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The pace (`mean`) is the mean time between two job ends while all slots are taken. Ends while slots are free say nothing about waiting
-- times. It is a moving average over about MEMORY ends. `at` is the time since which all slots have been taken without an end. It is
-- removed while slots are free, so an idle hour does not count as a slow one.
local MEMORY = 50

-- `total` jobs are open now: sets `at` if they take all slots, removes it if they do not.
local function note_open(total, slots, now)
  if slots and total >= math.max(slots, 1) then
    redis.call('HSETNX', pace, 'at', now)
  else
    redis.call('HDEL', pace, 'at')
  end
end

-- A job ends at `now`, when `total` jobs are open. `slots`: of all workers, '' where unknown.
local function note_end(total, slots, now)
  if slots ~= '' then redis.call('HSET', pace, 'slots', slots) end
  local found = redis.call('HMGET', pace, 'slots', 'at', 'mean')
  if found[2] and found[1] and total >= tonumber(found[1]) then
    local between = math.max(0, now - tonumber(found[2]))
    local mean = found[3] and tonumber(found[3]) + (between - tonumber(found[3])) / MEMORY or between
    redis.call('HSET', pace, 'mean', string.format('%.17g', mean))
  end
  redis.call('HDEL', pace, 'at')
  note_open(total - 1, tonumber(found[1]), now)
end

-- Longer than the longest deadline. Expires hashes whose jobs' ends were never reported.
local BYTES_LIFETIME_MS = 90000000

local function bytes_of(user) return tonumber(redis.call('HGET', bytes .. ':' .. user, 'total') or 0) end

local function add_bytes(job, user, size)
  local key = bytes .. ':' .. user
  redis.call('HSET', key, job, size)
  redis.call('HINCRBY', key, 'total', size)
  redis.call('PEXPIRE', key, BYTES_LIFETIME_MS)
end

-- `left`: the user's remaining open jobs. The end of the last one deletes the whole hash, since release 0.1.0 ends jobs without removing
-- their bytes.
local function remove_bytes(job, user, left)
  local key = bytes .. ':' .. user
  if left <= 0 then
    redis.call('DEL', key)
    return
  end
  local size = redis.call('HGET', key, job)
  if not size then return end
  redis.call('HDEL', key, job)
  redis.call('HINCRBY', key, 'total', -tonumber(size))
end

local function leave(member, user, slots, now)
  local total = redis.call('ZCARD', open)
  if redis.call('ZREM', open, member) == 0 then return end
  local left = redis.call('HINCRBY', users, user, -1)
  if left <= 0 then redis.call('HDEL', users, user) end
  remove_bytes(string.match(member, '^(%S+) '), user, left)
  if now then note_end(total, slots, now) end
end
