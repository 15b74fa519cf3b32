-- Makes a file known to its user.
-- Invariants: a user's list has only files with a record, and no more than `max` of them. The removal of the bytes is planned
-- for when the record of a file that expires has gone.
-- KEYS record, files of the user, those that expire, removals. ARGV id, now (ms), max, expires ('' or ms), record's end ('' or ms), then
-- the record's fields and values.
-- Returns 1, or 0 where the user has as many as are allowed.
local record, files, expiring = KEYS[1], KEYS[2], KEYS[3]
local id, now, max, expires, ends = unpack(ARGV, 1, 5)

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', expiring, '-inf', now)) do
  redis.call('ZREM', files, gone)
  redis.call('ZREM', expiring, gone)
end
if redis.call('ZCARD', files) >= tonumber(max) then return 0 end
redis.call('HSET', record, unpack(ARGV, 6))
redis.call('ZADD', files, 0, id)
if expires ~= '' then
  redis.call('ZADD', expiring, expires, id)
  redis.call('PEXPIREAT', record, ends)
  redis.call('ZADD', KEYS[4], ends, id)
end
return 1
