-- What the cache's scripts share: entries of many owners, bounded for each of them and in all, least recently used first.
--
-- KEYS[1] is the hash of totals, and the beginning of every other key; all share its hash tag, so that the scripts stay legal
-- in Redis Cluster. An owner is known by his tag only, an entry by its owner's tag and its id.
--
--   <totals>                  entries, bytes, clock (uses so far), and counts of what was removed
--   <totals>:e:<tag>:<id>     the value. Its own expiry is a net: entries end by `expiry`, and are counted until then
--   <totals>:u:<tag>          sorted set: id by its last use
--   <totals>:s:<tag>          hash: id -> bytes
--   <totals>:held             hash: tag -> bytes of all that the owner has
--   <totals>:owners           sorted set: tag by the use of his least recently used entry
--   <totals>:over             the same, of those who have more than the floor: only they lose entries to others
--   <totals>:expiry           sorted set: <tag>:<id> by when it expires (ms)
--   <totals>:cleared          set: tags that nobody can read any more
--   <totals>:f:<tag>:<id>     string with an expiry: who is computing that entry
--
-- Invariants: `entries`, `bytes` and `held` are what the owners' hashes add up to; nobody has more than his limits, nor all
-- together; whoever has no more than the floor loses nothing to others, while all floors together fit.
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

-- Where an owner stands among those who may lose entries. To be called when what he has, or its order, has changed.
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

-- Takes an entry out, if it is there. `stand` has to follow.
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

-- The first of these entries that is there and has not expired, which counts as a use: its place among them and its value.
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
      -- It has expired, or Redis itself has evicted it.
      remove(tag, id, 'expired')
    end
  end
end
