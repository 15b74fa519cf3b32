-- How many bytes a user has stored.
-- KEYS of a user: files (zset), those that expire (zset: file -> when, ms), sizes (hash: file -> bytes, and `total`).
-- Invariant: `total` is the sum of the sizes of the files in the list; each file is counted from its record to its deletion or expiry.
local function uncount(sizes, id)
  local bytes = redis.call('HGET', sizes, id)
  if not bytes then return end
  redis.call('HDEL', sizes, id)
  redis.call('HINCRBY', sizes, 'total', '-' .. bytes)
end

local function forget_expired(files, expiring, sizes, now)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', expiring, '-inf', now)) do
    redis.call('ZREM', files, gone)
    redis.call('ZREM', expiring, gone)
    uncount(sizes, gone)
  end
end

local function total_of(sizes)
  return tonumber(redis.call('HGET', sizes, 'total') or 0)
end
