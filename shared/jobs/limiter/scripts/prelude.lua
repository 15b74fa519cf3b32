-- The jobs that were let in and have not ended, and how fast they end.
-- KEYS open (zset: `<job> <user>` -> when it has ended in any case, ms), users (hash: user -> his open jobs), pace (hash), promised
-- (prefix; `<promised>:<user>`, zset: the times, in ms, at which refused jobs of that user may come again), bytes (prefix;
-- `<bytes>:<user>`, hash: the size of each open job of the user's, and `total`).
-- Invariants: `users` is the count of `open` by user; `total` is the sum of its hash, which is there while the user has open jobs.
local open, users, pace, promised, bytes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

-- One clock for all processes: what a caller's clock says changes nothing.
local function redis_time()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The pace is the mean time between two ends while every slot was taken: what ends while some are free says nothing of how long one
-- waits for them. Of so many ends, about; a new one counts as one of them. `at` is since when every slot has been taken without an end;
-- it is not there while some are free, so that an idle hour is never taken for a slow one.
local MEMORY = 50

-- So many jobs are open now: `at` begins where they take every slot, and goes where they do not.
local function note_open(total, slots, now)
  if slots and total >= math.max(slots, 1) then
    redis.call('HSETNX', pace, 'at', now)
  else
    redis.call('HDEL', pace, 'at')
  end
end

-- `slots`: of the workers, '' where it is not known. An end at `now` among so many open jobs.
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

-- The longest deadline, and more: what is left behind in any case goes then.
local BYTES_LIFETIME_MS = 90000000

local function bytes_of(user) return tonumber(redis.call('HGET', bytes .. ':' .. user, 'total') or 0) end

local function add_bytes(job, user, size)
  local key = bytes .. ':' .. user
  redis.call('HSET', key, job, size)
  redis.call('HINCRBY', key, 'total', size)
  redis.call('PEXPIRE', key, BYTES_LIFETIME_MS)
end

-- `left`: open jobs that the user has still. The last one takes the whole hash along: release 0.1.0 ends jobs without telling of bytes.
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
