-- Makes a file known to its user.
-- Invariants: a user's list has only files with a record, no more than `max` of them, and with their answers no more than `quota` bytes.
-- The removal of the bytes is planned for when the record of a file that expires has gone.
-- KEYS files of the user, those that expire, sizes, their answers and sizes (see prelude.lua), record, removals. ARGV id, now (ms), max,
-- expires ('' or ms), record's end ('' or ms), bytes, quota ('' or bytes), then the record's fields and values.
-- Returns 1, 0 where the user has as many as are allowed, or -1 where they have no room for so many bytes.
local files, expiring, sizes = KEYS[1], KEYS[2], KEYS[3]
local record, removals = KEYS[6], KEYS[7]
local id, now, max, expires, ends, bytes, quota = unpack(ARGV, 1, 7)

local stored = stored_bytes(KEYS, now)
if redis.call('ZCARD', files) >= tonumber(max) then return 0 end
if quota ~= '' and stored + tonumber(bytes) > tonumber(quota) then return -1 end
if redis.call('HSETNX', sizes, id, bytes) == 1 then redis.call('HINCRBY', sizes, 'total', bytes) end
redis.call('HSET', record, unpack(ARGV, 8))
redis.call('ZADD', files, 0, id)
if expires ~= '' then
  redis.call('ZADD', expiring, expires, id)
  redis.call('PEXPIREAT', record, ends)
  redis.call('ZADD', removals, ends, id)
end
return 1
