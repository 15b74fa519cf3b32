-- The jobs that were let in and have not ended, and how fast they end.
-- KEYS open (zset: `<job> <user>` -> when it has ended in any case, ms), users (hash: user -> his open jobs), pace (hash), promised
-- (prefix; `<promised>:<user>`, zset: the places that refused jobs of his were told of, by when they come free, ms).
-- Invariant: `users` is the count of `open` by user.
local open, users, pace, promised = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

-- The pace is the mean time between two ends while every slot was taken: what ends while some are free says nothing of how long one
-- waits for them. Of so many ends, about; a new one counts as one of them.
local MEMORY = 50

-- `slots`: of the workers, '' where it is not known. An end at `now` among so many open jobs.
local function note_end(total, slots, now)
  if slots ~= '' then redis.call('HSET', pace, 'slots', slots) end
  local found = redis.call('HMGET', pace, 'slots', 'at', 'mean')
  if not found[1] or total < tonumber(found[1]) then
    redis.call('HDEL', pace, 'at')
    return
  end
  if found[2] then
    local between = math.max(0, now - tonumber(found[2]))
    local mean = found[3] and tonumber(found[3]) + (between - tonumber(found[3])) / MEMORY or between
    redis.call('HSET', pace, 'mean', string.format('%.17g', mean))
  end
  redis.call('HSET', pace, 'at', now)
end

local function leave(member, user, slots, now)
  local total = redis.call('ZCARD', open)
  if redis.call('ZREM', open, member) == 0 then return end
  if redis.call('HINCRBY', users, user, -1) <= 0 then redis.call('HDEL', users, user) end
  if now then note_end(total, slots, now) end
end
