-- Counts an answer before it is stored, by what is known of it: its request.
-- Invariants: one that is counted already changes nothing; however many are asked for at once, their user's quotas hold, but for what
-- the answers of open jobs turn out to have. A reservation whose job comes to nothing ends by itself.
-- KEYS files, those that expire, sizes, their answers and sizes (see prelude.lua). ARGV job, bytes, ends (ms), quota (bytes), most answers.
-- Returns '', or what there is no room for: 'bytes', 'answers'.
local expiring, sizes = KEYS[4], KEYS[5]
local job, bytes, ends, quota, most = unpack(ARGV)

local time = redis.call('TIME')
local stored = stored_bytes(KEYS, tonumber(time[1]) * 1000)
if redis.call('HEXISTS', sizes, job) == 1 or redis.call('HEXISTS', sizes, reserved(job)) == 1 then return '' end
if stored + tonumber(bytes) > tonumber(quota) then return 'bytes' end
if redis.call('ZCARD', expiring) >= tonumber(most) then return 'answers' end
count_answer(expiring, sizes, reserved(job), bytes, ends)
return ''
