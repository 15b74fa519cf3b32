-- Moves a partition's watermark back to messages of a recreated or truncated topic that were never routed.
-- Invariant: the watermark moves only if it still has the value that the caller read; if another router has moved it, it stays.
-- KEYS watermarks. ARGV partition, the watermark that was read, the new watermark.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
