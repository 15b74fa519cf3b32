-- Writes the record of a delivery.
-- Invariants: both keys hold the same ids, at most `bound` of them (the oldest are removed first); `first` overwrites nothing.
-- KEYS order, records. ARGV id, creation time (ms), record, 'first' or 'again', bound, lifetime (ms).
-- Returns the stored record.
local order, records = KEYS[1], KEYS[2]
local id, at, record, turn, bound, lifetime = unpack(ARGV)

local found = redis.call('HGET', records, id)
if found and turn == 'first' then return found end
redis.call('HSET', records, id, record)
redis.call('ZADD', order, at, id)
local excess = redis.call('ZCARD', order) - tonumber(bound)
if excess > 0 then
  for _, old in ipairs(redis.call('ZRANGE', order, 0, excess - 1)) do
    redis.call('HDEL', records, old)
    redis.call('ZREM', order, old)
  end
end
redis.call('PEXPIRE', order, lifetime)
redis.call('PEXPIRE', records, lifetime)
return record
