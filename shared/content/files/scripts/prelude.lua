-- Counts the bytes that a user has stored: uploaded files and stored answers.
-- KEYS of a user's files: files (zset), those that expire (zset: file -> ms), sizes (hash: file -> bytes, and `total`).
-- KEYS of the user's answers: expiry times (zset: answer -> ms), sizes (hash, as for files).
-- Invariant: `total` is the sum of the sizes. A file counts from the creation of its record, an answer from its job's admission, each until
-- its deletion or expiry.
local function uncount(sizes, id)
  local bytes = redis.call('HGET', sizes, id)
  if not bytes then return end
  redis.call('HDEL', sizes, id)
  redis.call('HINCRBY', sizes, 'total', '-' .. bytes)
end

-- Limits the work of one call: a user with a month of expired files must not block Redis for other users.
local FORGOTTEN_AT_ONCE = 1000

local function forget_expired(expiring, sizes, now, files)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', expiring, '-inf', now, 'LIMIT', 0, FORGOTTEN_AT_ONCE)) do
    if files then redis.call('ZREM', files, gone) end
    redis.call('ZREM', expiring, gone)
    uncount(sizes, gone)
  end
end

local function total_of(sizes)
  return tonumber(redis.call('HGET', sizes, 'total') or 0)
end

-- Bytes of files and answers together. `keys`: files, those that expire, their sizes, expiring answers, their sizes.
local function stored_bytes(keys, now)
  forget_expired(keys[2], keys[3], now, keys[1])
  forget_expired(keys[4], keys[5], now)
  return total_of(keys[3]) + total_of(keys[5])
end
