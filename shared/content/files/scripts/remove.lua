-- Hides a file from its user for good.
-- Invariant: the record outlives that by a grace: for as long as it stands, nobody removes the file's bytes.
-- Their removal is planned for when the record has gone.
-- KEYS record, files of the user, those that expire, removals, sizes. ARGV id, owner, now (ms), grace (ms).
-- Returns 1, or 0 where the owner has no such file, or no longer.
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
