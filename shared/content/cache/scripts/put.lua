-- Stores an entry and evicts others for it, in this order:
-- 1. The owner's own entries, while the owner would exceed their own limits.
-- 2. While the total limits would be exceeded: the least recently used entries of owners above the floor; then the owner's own entries;
--    then, when all floors together do not fit, the least recently used entries of all owners.
-- ARGV floor (2), tag, id, value, lifetime (ms), an owner's limits of entries and bytes, the total limits of entries and bytes, maximum
-- number of evictions. Returns 'kept'; 'too_large' when the value alone exceeds a limit; 'no_room' when one call would have to evict more
-- entries than its maximum.
local tag, id, value, lifetime = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local own_entries, own_bytes, all_entries, all_bytes, evictions =
  tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])

local key = entry_key(tag, id)
local size = #key + #value
if size > math.min(own_bytes, all_bytes) or own_entries < 1 or all_entries < 1 then return 'too_large' end
remove(tag, id, 'replaced')

local function evict(victim)
  evictions = evictions - 1
  if evictions >= 0 then remove_oldest(victim, 'evicted') end
  return evictions >= 0
end

while entries_of(tag) >= own_entries or bytes_of(tag) + size > own_bytes do
  if not evict(tag) then return 'no_room' end
end
while total('entries') >= all_entries or total('bytes') + size > all_bytes do
  local victim = redis.call('ZRANGE', OVER, 0, 0)[1]
  if not victim then
    victim = entries_of(tag) > 0 and tag or redis.call('ZRANGE', OWNERS, 0, 0)[1]
  end
  if not evict(victim) then return 'no_room' end
end

local NET_MS = 60000
redis.call('SET', key, value, 'PX', lifetime + NET_MS)
redis.call('HSET', sizes_key(tag), id, size)
redis.call('ZADD', EXPIRY, now_ms() + lifetime, tag .. ':' .. id)
redis.call('HINCRBY', HELD, tag, size)
redis.call('HINCRBY', TOTALS, 'bytes', size)
redis.call('HINCRBY', TOTALS, 'entries', 1)
use(tag, id)
stand(tag)
return 'kept'
