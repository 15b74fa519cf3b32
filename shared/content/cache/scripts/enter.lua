-- Looks up an entry. If there is none, one holder at a time may compute it.
-- Invariant: at most one holder has an entry's flight, as long as it renews its lease.
-- ARGV floor (2), tag, holder (a random name), lease (ms), ids... (the flight belongs to the first id).
-- Returns {'found', position of the id from 0, value}; {'compute'} when the caller has the flight; {'busy'} when another holder has it.
local tag, holder, lease = ARGV[3], ARGV[4], ARGV[5]

local found = look(tag, 6)
if found then return { 'found', found[1], found[2] } end
if redis.call('SET', flight_key(tag, ARGV[6]), holder, 'NX', 'PX', lease) then return { 'compute' } end
return { 'busy' }
