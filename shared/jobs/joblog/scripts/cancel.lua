-- Requests a job's cancellation.
-- Invariant: the request is never withdrawn, so an attempt that takes the fence later sees it before it calls a model.
-- KEYS record. ARGV job, by, now (ms).
-- Returns the job's current state; '' when there is no record.
local record = KEYS[1]
local job, by, now = unpack(ARGV)

local state = redis.call('HGET', record, 'state')
if not state then return '' end
if not ENDED[state] then request_cancel(record, job, by, now) end
return state
