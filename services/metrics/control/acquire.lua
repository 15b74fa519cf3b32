-- Invariant: no two holders have the lease at once, and no two terms have the same number.
-- KEYS lease (string), term (string). ARGV holder, milliseconds. Returns the number of the new term, or nil.
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local term = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], term .. ':' .. ARGV[1], 'PX', ARGV[2])
return term
