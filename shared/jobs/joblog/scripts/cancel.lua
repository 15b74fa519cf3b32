-- Asks for a job's end.
-- Invariant: a request once made stays, so whoever takes the fence later sees it before he spends.
-- KEYS record. ARGV job, by, now (ms).
-- Returns the state that holds now; '' without a record.
local record = KEYS[1]
local job, by, now = unpack(ARGV)

local state = redis.call('HGET', record, 'state')
if not state then return '' end
if not ENDED[state] then request_cancel(record, job, by, now) end
return state
