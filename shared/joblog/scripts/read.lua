-- Reads a job for one who wants to follow it, and makes his process one of those that appends are published to.
-- KEYS record, log. ARGV after (sequence), reader channel ('' to register none).
-- Returns {state ('' without a record), owner, last sequence, deadline (ms), entries of XRANGE}.
local record, log = KEYS[1], KEYS[2]
local after, reader = ARGV[1], ARGV[2]

local found = redis.call('HMGET', record, 'state', 'owner', 'seq', 'deadline', 'readers')
if not found[1] then return { '', '', 0, 0, {} } end
if reader ~= '' and not ENDED[found[1]] and not string.find(' ' .. found[5] .. ' ', ' ' .. reader .. ' ', 1, true) then
  redis.call('HSET', record, 'readers', found[5] .. ' ' .. reader)
end
return { found[1], found[2], tonumber(found[3]), tonumber(found[4]), redis.call('XRANGE', log, '(' .. after .. '-0', '+') }
