-- Shared by the cache's scripts: entries of many owners, with limits for each owner and in total, evicted by least recent use.
--
-- KEYS[1] is the hash of totals and the prefix of every other key. All keys share its hash tag, so the scripts work in Redis Cluster. An
-- owner is identified only by a tag, an entry by its owner's tag and its id.
--
--   <totals>                  entries, bytes, clock (number of uses), and counts of removed entries
--   <totals>:e:<tag>:<id>     the value. Its own expiry is only a fallback: entries end by `expiry`, and are counted until then
--   <totals>:u:<tag>          sorted set: id by its last use
--   <totals>:s:<tag>          hash: id -> bytes
--   <totals>:held             hash: tag -> bytes of all the owner's entries
--   <totals>:owners           sorted set: tag by the last use of the owner's least recently used entry
--   <totals>:over             the same, for owners above the floor: only these are evicted for others
--   <totals>:expiry           sorted set: <tag>:<id> by when it expires (ms)
--   <totals>:cleared          set: tags whose entries are unreadable after a clear
--   <totals>:f:<tag>:<id>     string with an expiry: the holder that computes the entry
--
-- Invariants: `entries`, `bytes` and `held` are the sums over the owners' hashes. No owner exceeds their limits, and the total stays within
-- its limits. Owners at or below the floor are never evicted for others, provided that all floors together fit into the total limits.
-- ARGV 1, 2: the floor in entries and in bytes.

local TOTALS = KEYS[1]
local OWNERS, OVER, EXPIRY = TOTALS .. ':owners', TOTALS .. ':over', TOTALS .. ':expiry'
local HELD, CLEARED = TOTALS .. ':held', TOTALS .. ':cleared'
local FLOOR_ENTRIES, FLOOR_BYTES = tonumber(ARGV[1]), tonumber(ARGV[2])

local function entry_key(tag, id) return TOTALS .. ':e:' .. tag .. ':' .. id end
local function flight_key(tag, id) return TOTALS .. ':f:' .. tag .. ':' .. id end
local function uses_key(tag) return TOTALS .. ':u:' .. tag end
local function sizes_key(tag) return TOTALS .. ':s:' .. tag end

local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

local function bytes_of(tag) return tonumber(redis.call('HGET', HELD, tag) or '0') end
local function entries_of(tag) return redis.call('ZCARD', uses_key(tag)) end
local function total(name) return tonumber(redis.call('HGET', TOTALS, name) or '0') end

-- Updates an owner's position in `owners` and `over`. Call it after each change of the owner's entries or of their order.
local function stand(tag)
  local oldest = redis.call('ZRANGE', uses_key(tag), 0, 0, 'WITHSCORES')
  if not oldest[1] then
    redis.call('ZREM', OWNERS, tag)
    redis.call('ZREM', OVER, tag)
    redis.call('HDEL', HELD, tag)
    return
  end
  redis.call('ZADD', OWNERS, oldest[2], tag)
  if entries_of(tag) > FLOOR_ENTRIES or bytes_of(tag) > FLOOR_BYTES then
    redis.call('ZADD', OVER, oldest[2], tag)
  else
    redis.call('ZREM', OVER, tag)
  end
end

-- Removes an entry if it exists. Call `stand` afterwards.
local function take_out(tag, id, why)
  local size = redis.call('HGET', sizes_key(tag), id)
  if not size then return end
  redis.call('UNLINK', entry_key(tag, id))
  redis.call('HDEL', sizes_key(tag), id)
  redis.call('ZREM', uses_key(tag), id)
  redis.call('ZREM', EXPIRY, tag .. ':' .. id)
  redis.call('HINCRBY', HELD, tag, -size)
  redis.call('HINCRBY', TOTALS, 'bytes', -size)
  redis.call('HINCRBY', TOTALS, 'entries', -1)
  redis.call('HINCRBY', TOTALS, why, 1)
end

local function remove(tag, id, why)
  take_out(tag, id, why)
  stand(tag)
end

local function remove_oldest(tag, why)
  local id = redis.call('ZRANGE', uses_key(tag), 0, 0)[1]
  if id then remove(tag, id, why) end
end

local function use(tag, id)
  redis.call('ZADD', uses_key(tag), redis.call('HINCRBY', TOTALS, 'clock', 1), id)
end

-- Returns the first of these entries that exists and has not expired, as {position, value}, and records the use.
local function look(tag, first)
  for i = first, #ARGV do
    local id = ARGV[i]
    local expires = redis.call('ZSCORE', EXPIRY, tag .. ':' .. id)
    if expires then
      local value = tonumber(expires) > now_ms() and redis.call('GET', entry_key(tag, id))
      if value then
        use(tag, id)
        stand(tag)
        return { i - first, value }
      end
      -- The entry has expired, or Redis itself has evicted its value.
      remove(tag, id, 'expired')
    end
  end
end
