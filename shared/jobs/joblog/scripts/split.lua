-- Parts an outbox row from its job's completion hooks: the row keeps the outcome alone, and the hooks wait by themselves.
-- Invariants: hooks are in the waiting set before their row is without them; a row is parted once, whoever tries.
-- KEYS outbox, due hooks (by time), hooks (by since when they wait), hooks (their duties). ARGV row, job, now (ms), lease's end (ms).
-- Returns the new row's id; '' where the row has gone.
local outbox, due, since, owed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local row, job, now, ends = unpack(ARGV)

local found = redis.call('XRANGE', outbox, row, row)[1]
if not found then return '' end
local fields = found[2]
redis.call('ZADD', due, ends, job)
redis.call('ZADD', since, 'NX', now, job)
redis.call('HSET', owed, job, '0 ' .. fields[4])
redis.call('XDEL', outbox, row)
return redis.call('XADD', outbox, '*', 'outcome', fields[2], 'duties', '')
