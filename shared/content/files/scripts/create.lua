-- Creates a file's record and adds the file to its user's list.
-- Invariants: a user's list has only files with a record and at most `max` of them; files and stored answers together have at most `quota`
-- bytes. For a file that expires, the removal of its bytes is scheduled for the end of its record.
-- KEYS files of the user, those that expire, sizes, their answers and sizes (see prelude.lua), record, removals. ARGV id, now (ms), max,
-- expires ('' or ms), record's end ('' or ms), bytes, quota ('' or bytes), then the record's fields and values.
-- Returns 1; 0 when the user has the maximum number of files; -1 when the file would exceed the quota.
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
