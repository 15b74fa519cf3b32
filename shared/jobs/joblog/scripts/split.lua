-- Splits an outbox row: the new row has only the outcome, and the completion hooks move to their own set, leased to the caller.
-- Invariants: no row loses its hooks before they are in that set; a row is split once, even if several processes try.
-- KEYS outbox, due hooks (by time), hooks (waiting since), hooks (names by job). ARGV row, job, now (ms), lease's end (ms).
-- Returns the new row's id; '' when the row is gone.
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
