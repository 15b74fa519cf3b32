-- Moves a partition's watermark to `next`.
-- Invariant: every message below the watermark is done, or has left the topic; it never goes back. The caller routed
-- without a gap from where the watermark stood when it read it.
-- KEYS watermarks. ARGV partition, next, time of the last message (ms), seen (the offset that the caller has seen there;
-- '' for none).
-- Returns the watermark that holds now; 'rewound' when Redis has lost what the caller had seen: nothing is moved then.
local key = KEYS[1]
local partition, next_offset, at, seen = unpack(ARGV)

local stored = redis.call('HGET', key, partition)
if seen ~= '' and tonumber(stored or -1) < tonumber(seen) then return 'rewound' end
if stored and tonumber(stored) >= tonumber(next_offset) then return stored end
redis.call('HSET', key, partition, next_offset, partition .. ':at', at)
return next_offset
