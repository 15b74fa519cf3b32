-- Renews a lease: a member of a sorted set whose score is the time, by Redis's clock in ms, at which it expires.
-- Invariant: the script neither creates a lease nor shortens one.
-- KEYS[1] the set. ARGV the member, ms.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], 'XX', 'GT', now + tonumber(ARGV[2]), ARGV[1])
