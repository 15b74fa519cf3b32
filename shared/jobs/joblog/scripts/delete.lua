-- Makes an ended job unreadable for good.
-- Invariant: only an ended job; its outcome was counted, and what is owed for it finds it deleted.
-- KEYS record, log. ARGV grace (ms) for those who read the log at this moment, retention (ms) of what
-- says that it is deleted, from when nothing is owed any more.
-- Returns 'deleted', also the second time; the state of an open job; '' without a record.
local record, log = KEYS[1], KEYS[2]
local grace, retention = unpack(ARGV)

local state = redis.call('HGET', record, 'state')
if not state then return '' end
if not ENDED[state] then return state end
redis.call('HSET', record, 'deleted', '1')
redis.call('HDEL', record, 'original')
if (redis.call('HGET', record, 'owes') or '') == '' then redis.call('PEXPIRE', record, retention) end
redis.call('PEXPIRE', log, grace)
return 'deleted'
