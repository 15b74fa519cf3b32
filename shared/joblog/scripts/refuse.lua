-- Settles a publication whose outcome is unknown: admitting -> refused, unless the router was there first.
-- Invariant: either the client hears 503 and the router drops the message, or the job runs; never both.
-- KEYS record, open. ARGV job, retention (ms).
-- Returns the state that holds now, '' when there is no record.
local record, open = KEYS[1], KEYS[2]
local job, retention = unpack(ARGV)

local state = redis.call('HGET', record, 'state')
if not state then return '' end
if state == 'admitting' then
  redis.call('HSET', record, 'state', 'refused')
  redis.call('PEXPIRE', record, retention)
  redis.call('ZREM', open, job)
  return 'refused'
end
return state
