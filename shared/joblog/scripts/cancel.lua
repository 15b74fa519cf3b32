-- Asks for a job's end.
-- Invariant: a request once made stays, so whoever takes the fence later sees it before he spends.
-- KEYS record. ARGV job, by.
-- Returns the state that holds now; '' without a record.
local record = KEYS[1]
local job, by = ARGV[1], ARGV[2]

local state = redis.call('HGET', record, 'state')
if not state then return '' end
if not ENDED[state] then request_cancel(record, job, by) end
return state
