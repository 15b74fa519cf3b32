-- Renews the caller's flight, or ends it (lease 0).
-- ARGV floor (2), tag, holder, lease (ms), id. Returns 1, or 0 when the caller no longer has the flight.
local tag, holder, lease, id = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]

local key = flight_key(tag, id)
if redis.call('GET', key) ~= holder then return 0 end
if lease == 0 then return redis.call('DEL', key) end
return redis.call('PEXPIRE', key, lease)
