-- Moves a partition's watermark back to where its topic has messages that were never routed.
-- Invariant: only the mark that the caller has read is moved; one that another router has moved meanwhile stands.
-- KEYS watermarks. ARGV partition, the mark that was read, the new one.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
