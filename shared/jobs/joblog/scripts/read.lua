-- Reads a job, and registers the calling process as a reader, to which later appends are published.
-- KEYS record, log. ARGV after (sequence), reader channel ('' to register none), maximum number of entries.
-- Returns {state, owner, last sequence, deadline (ms), created (ms), user hash, model, start of the last attempt ('sequence ms', '' where
-- unknown), entries of XRANGE}; {} when there is no record or the job was deleted.
local record, log = KEYS[1], KEYS[2]
local after, reader, atMost = ARGV[1], ARGV[2], ARGV[3]

local found = redis.call('HMGET', record, 'state', 'owner', 'seq', 'deadline', 'created', 'user_hash', 'model', 'readers', 'deleted', 'begun')
if not found[1] or found[9] then return {} end
if not ENDED[found[1]] then join(record, found[8], reader) end
return { found[1], found[2], tonumber(found[3]), tonumber(found[4]), tonumber(found[5]), found[6], found[7], found[10] or '',
  redis.call('XRANGE', log, '(' .. after .. '-0', '+', 'COUNT', atMost) }
