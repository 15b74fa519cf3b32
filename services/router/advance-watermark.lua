-- Moves a partition's watermark over [first, next).
-- Invariant: every message below the watermark is done; it never goes back and never jumps a gap. The first batch of a
-- partition sets it, wherever that begins: older messages have left the topic.
-- KEYS watermarks. ARGV partition, first, next.
local key = KEYS[1]
local partition, first, next_offset = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local current = tonumber(redis.call('HGET', key, partition) or first)
if first <= current and next_offset > current then
  redis.call('HSET', key, partition, ARGV[3])
end
return redis.status_reply('OK')
