-- Looks for an entry; where there is none, one caller at a time may compute it.
-- Invariant: at most one holds the flight of an entry, for as long as he renews it.
-- ARGV floor (2), tag, holder (a random name), lease (ms), ids... (the flight is that of the first).
-- Returns {'found', place of the id from 0, value}; {'compute'} for the holder; {'busy'} while another one is.
local tag, holder, lease = ARGV[3], ARGV[4], ARGV[5]

local found = look(tag, 6)
if found then return { 'found', found[1], found[2] } end
if redis.call('SET', flight_key(tag, ARGV[6]), holder, 'NX', 'PX', lease) then return { 'compute' } end
return { 'busy' }
