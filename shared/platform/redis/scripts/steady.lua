-- Since when Redis has answered without a pause. Every process that acts on expired leases calls this about once a second, so a longer
-- time between two calls means that Redis was away: stopped, frozen, or cut off from all of them. Leases ran out meanwhile although
-- their holders live.
-- KEYS[1] hash {called: ms, regained: ms}. ARGV[1] the longest time between two calls, in ms. Returns the ms since Redis was regained;
-- -1 where it never was away.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local known = redis.call('HMGET', KEYS[1], 'called', 'regained')
local called, regained = tonumber(known[1] or now), tonumber(known[2] or -1)
if now - called > tonumber(ARGV[1]) then
  regained = now
  redis.call('HSET', KEYS[1], 'regained', regained)
end
redis.call('HSET', KEYS[1], 'called', now)
if regained < 0 then return -1 end
return now - regained
