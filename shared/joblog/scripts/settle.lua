-- What was owed for an ended job is done: from now on it is kept as long as any other.
-- Invariant: what was deleted meanwhile is not brought back; whoever kept a copy of it hears so and removes it.
-- KEYS record, log. ARGV retention (ms).
-- Returns 'settled'; 'deleted'; '' without a record.
local record, log = KEYS[1], KEYS[2]

local found = redis.call('HMGET', record, 'state', 'deleted')
if not found[1] then return '' end
if found[2] then return 'deleted' end
redis.call('PEXPIRE', record, ARGV[1])
redis.call('PEXPIRE', log, ARGV[1])
return 'settled'
