-- Records that an ended job's outcome is published (this step also removes the outbox row) or that its completion hooks have run. When both
-- are done, the retention begins; after it the job's id is free.
-- Invariants: the record stays until the outcome is published, so no later job with the same id can collide with that outcome. A job that
-- was deleted meanwhile stays deleted; the process that made a copy of it removes the copy.
-- KEYS record, log, outbox. ARGV retention (ms), what is done ('outcome' or 'hooks'), outbox row ('' for hooks).
-- Returns 'settled'; 'deleted'; '' when there is no record.
local record, log, outbox = KEYS[1], KEYS[2], KEYS[3]
local retention, done, row = unpack(ARGV)

-- Another process has published and removed the row.
if row ~= '' and redis.call('XDEL', outbox, row) == 0 then return 'settled' end
local found = redis.call('HMGET', record, 'state', 'deleted', 'owes')
if not found[1] then return '' end
-- An open job with this id is a later one.
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
