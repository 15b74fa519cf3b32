-- Replaces an API key's record, if it is still the one that the caller has read.
-- Invariant: of two concurrent changes to a key, one is refused and must read the record again.
-- KEYS hashes, keys. ARGV id, expected current record ('' for none), new record, SHA-256 of the API key.
-- Returns 1, or 0 if the current record is not the expected one.
local found = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if found ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[1], ARGV[4], ARGV[1])
return 1
