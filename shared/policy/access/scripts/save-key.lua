-- Writes a key's record in place of the one that was read.
-- Invariant: of two who change a key at once, one looks again.
-- KEYS hashes, keys. ARGV id, the record that is expected there ('' for none), the next one, SHA-256 of the key.
-- Returns 1, or 0 where another one stands there.
local found = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if found ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[1], ARGV[4], ARGV[1])
return 1
