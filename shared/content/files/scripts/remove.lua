-- Hides a file from its user permanently.
-- Invariant: the record stays for a grace period, during which the file's bytes are not removed. Their removal is scheduled for the end of
-- the record.
-- KEYS record, files of the user, those that expire, removals, sizes. ARGV id, owner, now (ms), grace period (ms).
-- Returns 1; 0 when the owner has no such file, or it was deleted or has expired.
local record, files, expiring = KEYS[1], KEYS[2], KEYS[3]
local id, owner, now, grace = unpack(ARGV)

local found = redis.call('HMGET', record, 'owner', 'deleted', 'expires')
if found[1] ~= owner or found[2] then return 0 end
if found[3] and tonumber(found[3]) <= tonumber(now) then return 0 end
redis.call('HSET', record, 'deleted', now)
redis.call('PEXPIRE', record, grace)
redis.call('ZADD', KEYS[4], tonumber(now) + tonumber(grace), id)
redis.call('ZREM', files, id)
redis.call('ZREM', expiring, id)
uncount(KEYS[5], id)
return 1
