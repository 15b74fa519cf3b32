-- Something that an ended job owes is done: its outcome is published (the row goes in the same step), or its hooks have run. When nothing
-- is owed any more, the job is kept for the retention, and then its id is free.
-- Invariants: while its outcome is not published its record stays, so no later job under the same id meets that outcome. What was deleted
-- meanwhile is not brought back; the process that made a copy of it removes that.
-- KEYS record, log, outbox. ARGV retention (ms), what is done ('outcome' or 'hooks'), outbox row ('' for hooks).
-- Returns 'settled'; 'deleted'; '' without a record.
local record, log, outbox = KEYS[1], KEYS[2], KEYS[3]
local retention, done, row = unpack(ARGV)

-- Another process has published the row.
if row ~= '' and redis.call('XDEL', outbox, row) == 0 then return 'settled' end
local found = redis.call('HMGET', record, 'state', 'deleted', 'owes')
if not found[1] then return '' end
-- An open job under this id is not the one that was settled.
if not ENDED[found[1]] then return 'settled' end
local rest = {}
for owed in string.gmatch(found[3] or '', '%S+') do
  if owed ~= done then rest[#rest + 1] = owed end
end
redis.call('HSET', record, 'owes', table.concat(rest, ' '))
if #rest == 0 then
  redis.call('PEXPIRE', record, retention)
  if not found[2] then redis.call('PEXPIRE', log, retention) end
end
return found[2] and 'deleted' or 'settled'
