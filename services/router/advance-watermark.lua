-- Moves a partition's watermark over [first, next).
-- Invariant: every message below the watermark is done; it never goes back and never jumps a gap, but where the messages
-- in it have left the topic (rebase): in the first batch of a partition, and in the first one after an assignment.
-- KEYS watermarks. ARGV partition, first, next, rebase ('1' or '0').
local key = KEYS[1]
local partition, first, next_offset = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local current = tonumber(redis.call('HGET', key, partition) or first)
if (first <= current or ARGV[4] == '1') and next_offset > current then
  redis.call('HSET', key, partition, ARGV[3])
end
return redis.status_reply('OK')
