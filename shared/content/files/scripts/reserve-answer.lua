-- Reserves quota for an answer before it is stored, by the size of its request.
-- Invariants: an answer that is reserved or counted already is not reserved again. Concurrent requests cannot exceed the user's quotas, except
-- by the amount by which answers of open jobs turn out larger than their reservations. A reservation expires if no answer is stored.
-- KEYS files, those that expire, sizes, their answers and sizes (see prelude.lua). ARGV job, bytes, ends (ms), quota (bytes), most answers.
-- Returns '', or the exceeded limit: 'bytes', 'answers'.
local expiring, sizes = KEYS[4], KEYS[5]
local job, bytes, ends, quota, most = unpack(ARGV)

local time = redis.call('TIME')
local stored = stored_bytes(KEYS, tonumber(time[1]) * 1000)
if redis.call('HEXISTS', sizes, job) == 1 or redis.call('HEXISTS', sizes, reserved(job)) == 1 then return '' end
if stored + tonumber(bytes) > tonumber(quota) then return 'bytes' end
if redis.call('ZCARD', expiring) >= tonumber(most) then return 'answers' end
count_answer(expiring, sizes, reserved(job), bytes, ends)
return ''
