-- Sets the final status of a file: uploaded -> processed | error.
-- Invariant: the status changes once; later calls change nothing.
-- KEYS record. ARGV status (processed | error), then further fields and values.
-- Returns the file's current status; '' when there is no record.
local record = KEYS[1]

local status = redis.call('HGET', record, 'status')
if not status then return '' end
if status ~= 'uploaded' then return status end
redis.call('HSET', record, 'status', unpack(ARGV))
return ARGV[1]
