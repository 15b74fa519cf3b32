-- The router takes a job over: admitting -> queued, with the log's first events.
-- Invariant: the first events are written once, even if the message is delivered several times.
-- KEYS record, log. ARGV job, lifetime (ms), deadline of the message (ms), events...
-- Returns 'routed' the first time; 'again' while the job is open; its final state when it has ended; '' when there is no record; 'earlier'
-- when the message belongs to an earlier job with this id.
local record, log = KEYS[1], KEYS[2]
local job, lifetime, deadline = ARGV[1], ARGV[2], ARGV[3]

local found = redis.call('HMGET', record, 'state', 'readers', 'created')
local state = found[1]
if not state then return '' end
if ENDED[state] then return state end
if is_of_earlier_job(found[3], deadline) then return 'earlier' end
if state ~= 'admitting' then return 'again' end
redis.call('HSET', record, 'state', 'queued')
append(record, log, job, found[2], 0, ARGV, 4)
redis.call('PEXPIRE', log, lifetime)
return 'routed'
