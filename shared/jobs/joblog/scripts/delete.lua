-- Makes an ended job permanently unreadable.
-- Invariant: only ended jobs are deleted. Their outcome is in the outbox or published; pending completion hooks find them deleted.
-- KEYS record, log. ARGV grace period (ms) for clients that are reading the log, retention (ms) of the record with its `deleted` mark,
-- counted from the moment when the outcome is published and all hooks have run.
-- Returns 'deleted', also when repeated; the state of an open job; '' when there is no record.
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
