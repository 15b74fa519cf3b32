-- Moves a file on from `uploaded`.
-- Invariant: that happens once; whoever comes later changes nothing.
-- KEYS record. ARGV status (processed | error), then further fields and values.
-- Returns the status that the file has now, or '' without a record.
local record = KEYS[1]

local status = redis.call('HGET', record, 'status')
if not status then return '' end
if status ~= 'uploaded' then return status end
redis.call('HSET', record, 'status', unpack(ARGV))
return ARGV[1]
