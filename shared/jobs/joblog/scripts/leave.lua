-- Removes a process from the job's readers.
-- Invariant: a foreground job without a reader is cancelled: at once when its grace period is 0 (no client can return to it), otherwise
-- by the sweep after the grace period. Background jobs run without readers.
-- KEYS record. ARGV job, reader channel, now (ms).
-- Returns 'cancelling' when this was the last reader and the job must end now, otherwise 'left'.
local record = KEYS[1]
local job, reader, now = unpack(ARGV)

local found = redis.call('HMGET', record, 'state', 'readers', 'foreground', 'patience')
if not found[1] or ENDED[found[1]] then return 'left' end
local rest = {}
for channel in string.gmatch(found[2], '%S+') do
  if channel ~= reader then rest[#rest + 1] = channel end
end
redis.call('HSET', record, 'readers', table.concat(rest, ' '))
if #rest > 0 or found[3] ~= '1' then return 'left' end
redis.call('HSET', record, 'left', now)
if tonumber(found[4]) > 0 then return 'left' end
request_cancel(record, job, 'disconnect', now)
return 'cancelling'
