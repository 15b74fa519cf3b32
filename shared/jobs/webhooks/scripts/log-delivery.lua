-- Writes what became of a delivery.
-- Invariants: the two keys hold the same ids; never more than the bound, the oldest go first; `first` overwrites nothing.
-- KEYS order, records. ARGV id, time of its event (ms), record, 'first' or 'again', bound, lifetime (ms).
-- Returns the record that stands there now.
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
