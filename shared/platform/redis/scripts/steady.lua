-- Detects pauses of Redis. Every process that acts on expired leases calls this script about once a second. A longer time between two
-- calls means that Redis was unavailable: stopped, frozen, or cut off from all processes. During that time, leases expired although
-- their holders are alive.
-- KEYS[1] hash {called: ms, regained: ms}. ARGV[1] the longest time between two calls, in ms. Returns the ms since Redis became
-- available again; -1 if it never was unavailable.
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
