-- Renews a flight, or ends it (lease 0), for the one who holds it.
-- ARGV floor (2), tag, holder, lease (ms), id. Returns 1, or 0 for one who does not hold it any more.
local tag, holder, lease, id = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]

local key = flight_key(tag, id)
if redis.call('GET', key) ~= holder then return 0 end
if lease == 0 then return redis.call('DEL', key) end
return redis.call('PEXPIRE', key, lease)
