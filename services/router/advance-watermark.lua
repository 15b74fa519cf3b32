-- Moves a partition's watermark forward to `next`.
-- Invariant: every message below the watermark is done, or has left the topic, and the watermark never goes back. The caller has
-- routed every message since the watermark that it read, without a gap.
-- KEYS watermarks. ARGV partition, next, time of the last message (ms), seen (the last watermark that the caller has seen;
-- '' for none).
-- Returns the watermark after the call. Returns 'rewound' and moves nothing when Redis has lost the watermark that the caller had seen.
local key = KEYS[1]
local partition, next_offset, at, seen = unpack(ARGV)

local stored = redis.call('HGET', key, partition)
if seen ~= '' and tonumber(stored or -1) < tonumber(seen) then return 'rewound' end
if stored and tonumber(stored) >= tonumber(next_offset) then return stored end
redis.call('HSET', key, partition, next_offset, partition .. ':at', at)
return next_offset
