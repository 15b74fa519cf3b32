-- Writes a user's endpoint if it has not changed since the caller read it.
-- Invariants: of two concurrent changes, the second must read again; a user never has more than the maximum.
-- KEYS endpoints. ARGV id, expected ('' for a new one), next, maximum.
-- Returns 'saved', 'changed' or 'full'.
local endpoints = KEYS[1]
local id, expected, next_value, maximum = unpack(ARGV)

local found = redis.call('HGET', endpoints, id) or ''
if found ~= expected then return 'changed' end
if found == '' and redis.call('HLEN', endpoints) >= tonumber(maximum) then return 'full' end
redis.call('HSET', endpoints, id, next_value)
return 'saved'
