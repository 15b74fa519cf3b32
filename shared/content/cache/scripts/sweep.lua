-- Removes some expired entries, and some entries that are unreadable after a clear.
-- ARGV floor (2), maximum number of entries. Returns how many it removed: {expired, cleared}. If the sum is below the maximum, none are left.
local at_most = tonumber(ARGV[3])

local expired = redis.call('ZRANGEBYSCORE', EXPIRY, '-inf', now_ms(), 'LIMIT', 0, at_most)
for _, member in ipairs(expired) do
  local tag, id = string.match(member, '^([^:]+):(.+)$')
  remove(tag, id, 'expired')
end

local cleared = 0
while #expired + cleared < at_most do
  local tag = redis.call('SRANDMEMBER', CLEARED)
  if not tag then break end
  local ids = redis.call('ZRANGE', uses_key(tag), 0, at_most - #expired - cleared - 1)
  for _, id in ipairs(ids) do take_out(tag, id, 'cleared') end
  stand(tag)
  cleared = cleared + #ids
  if entries_of(tag) == 0 then redis.call('SREM', CLEARED, tag) end
end
return { #expired, cleared }
