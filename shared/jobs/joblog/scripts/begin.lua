-- An attempt takes the fence: queued | running -> running. The previous holder's appends fail from now on.
-- Invariant: at most one attempt can append; its fence is higher than any before.
-- KEYS record, log. ARGV job, nonce, now (ms), path, channel of the process that will hold the fence, deadline of the attempt's job (ms).
-- Returns {'begun', fence, last sequence, cancel (who requested cancellation, or '')}; {state} when the job has ended or was never
-- routed; {''} when there is no record; {'earlier'} when the attempt belongs to an earlier job with this id.
local record, log = KEYS[1], KEYS[2]
local job, nonce, now, path, holder, deadline = unpack(ARGV)

local found = redis.call('HMGET', record, 'state', 'readers', 'seq', 'fence', 'cancel', 'nonce', 'created')
local state = found[1]
if not state then return { '' } end
if state ~= 'queued' and state ~= 'running' then return { state } end
if is_of_earlier_job(found[7], deadline) then return { 'earlier' } end

-- This is a retry after a lost reply: the attempt holds the fence already.
if found[6] == nonce then return { 'begun', tonumber(found[4]), tonumber(found[3]), found[5] } end

local fence = tonumber(found[4]) + 1
redis.call('HSET', record, 'state', 'running', 'fence', fence, 'nonce', nonce, 'holder', holder)
local event = string.format('{"type":"attempt","at":%s,"attempt":%d,"path":"%s"}', now, fence, path)
local seq = append(record, log, job, found[2], tonumber(found[3]), { event }, 1)
redis.call('HSET', record, 'begun', seq .. ' ' .. now)
return { 'begun', fence, seq, found[5] }
