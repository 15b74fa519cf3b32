-- What the job log's scripts share. Record: the hash of one job; log: the stream of its events.
--
-- The record's `state` moves only here:
--   admitting -> refused | completed | queued -> running -> completed | failed | cancelled
-- From `admitting` it is completed at once where its answer was there before. `running` may follow itself (another attempt, under a new fence). An ended job never moves again.
-- `seq` is the sequence of the log's last event; events are numbered 1, 2, 3 ... without a gap.

local ENDED = { completed = true, failed = true, cancelled = true, refused = true }

-- Appends events (JSON texts) after the given sequence and publishes them to every reading process.
local function append(record, log, job, readers, seq, events, first)
  if first > #events then return seq end
  for i = first, #events do
    redis.call('XADD', log, (seq + i - first + 1) .. '-0', 'e', events[i])
  end
  local last = seq + #events - first + 1
  redis.call('HSET', record, 'seq', last)
  if readers and readers ~= '' then
    local message = job .. ' ' .. (seq + 1) .. ' [' .. table.concat(events, ',', first) .. ']'
    for channel in string.gmatch(readers, '%S+') do
      redis.call('PUBLISH', channel, message)
    end
  end
  return last
end

-- Makes a process one of the job's readers. `left` says since when a foreground job has none.
local function join(record, readers, channel)
  if channel == '' or string.find(' ' .. readers .. ' ', ' ' .. channel .. ' ', 1, true) then return end
  redis.call('HSET', record, 'readers', readers == '' and channel or (readers .. ' ' .. channel), 'left', '')
end

-- An idempotency key makes a job under the same id once the record of the one before has expired. A message or an attempt whose deadline
-- had passed before this record was made belongs to that earlier job ('' for the deadline: it is not known).
local function is_of_earlier_job(created, deadline)
  return deadline ~= '' and tonumber(deadline) < tonumber(created)
end

-- Ends a job whose last events are in its log: the state and the outbox row. The record and the log stay for `lifetime` (ms), until
-- `settle.lua` has heard that all that the job owes is done (`owes`): its outcome is published, its hooks have run.
-- Returns the id of the outbox row, and the duties.
local function close(keys, job, ending, outcome, lifetime)
  local record, log, open, outbox = keys[1], keys[2], keys[3], keys[4]
  local duties = redis.call('HGET', record, 'duties') or ''
  redis.call('HSET', record, 'state', ending, 'owes', duties == '' and 'outcome' or 'outcome hooks')
  redis.call('PEXPIRE', record, lifetime)
  redis.call('PEXPIRE', log, lifetime)
  redis.call('ZREM', open, job)
  return redis.call('XADD', outbox, '*', 'outcome', outcome, 'duties', duties), duties
end

-- Asks for a job's end, at that time (ms). The holder of the fence hears of it at once. Where that message is lost, it sees
-- the flag at its next append, or when it next renews its lock: a call whose answer is withheld appends nothing.
local function request_cancel(record, job, by, now)
  redis.call('HSET', record, 'cancel', by)
  redis.call('HSETNX', record, 'cancel_at', now)
  local holder = redis.call('HGET', record, 'holder')
  if holder and holder ~= '' then redis.call('PUBLISH', holder, job .. ' ' .. by) end
end
