-- Shared by the job log's scripts. Record: the hash of one job; log: the stream of its events.
--
-- Only these scripts change the record's `state`:
--   admitting -> refused | completed | queued -> running -> completed | failed | cancelled
-- `admitting -> completed`: the cache has the answer. `running -> running`: another attempt takes a new fence. An ended job never changes
-- its state, except that `admit.lua` admits a refused job again.
-- `seq` is the sequence of the log's last event; events are numbered 1, 2, 3 ... without a gap.

local ENDED = { completed = true, failed = true, cancelled = true, refused = true }

-- Appends events (JSON texts) after the given sequence and publishes them to every process that reads the job.
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

-- Adds a process to the job's readers. `left` is the time since which a foreground job has had no reader; '' while it has one.
local function join(record, readers, channel)
  if channel == '' or string.find(' ' .. readers .. ' ', ' ' .. channel .. ' ', 1, true) then return end
  redis.call('HSET', record, 'readers', readers == '' and channel or (readers .. ' ' .. channel), 'left', '')
end

-- The same idempotency key creates a new job with the same id once the earlier job's record has expired. A message or an attempt whose
-- deadline had passed before this record was created belongs to the earlier job. `deadline` is '' where it is unknown.
local function is_of_earlier_job(created, deadline)
  return deadline ~= '' and tonumber(deadline) < tonumber(created)
end

-- Ends a job whose last events are in its log: writes the state and the outbox row. `owes` lists the open work: 'outcome' until the outcome
-- is published, 'hooks' until the completion hooks have run. `settle.lua` removes them; until then the record and the log stay for
-- `lifetime` (ms).
-- Returns the id of the outbox row, and the names of the hooks.
local function close(keys, job, ending, outcome, lifetime)
  local record, log, open, outbox = keys[1], keys[2], keys[3], keys[4]
  local duties = redis.call('HGET', record, 'duties') or ''
  redis.call('HSET', record, 'state', ending, 'owes', duties == '' and 'outcome' or 'outcome hooks')
  redis.call('PEXPIRE', record, lifetime)
  redis.call('PEXPIRE', log, lifetime)
  redis.call('ZREM', open, job)
  return redis.call('XADD', outbox, '*', 'outcome', outcome, 'duties', duties), duties
end

-- Requests a job's cancellation; `now` in ms. The holder of the fence gets a message. If that is lost, it sees the flag at its next append,
-- or when it next renews its lock (a call with deferred output appends nothing for a while).
local function request_cancel(record, job, by, now)
  redis.call('HSET', record, 'cancel', by)
  redis.call('HSETNX', record, 'cancel_at', now)
  local holder = redis.call('HGET', record, 'holder')
  if holder and holder ~= '' then redis.call('PUBLISH', holder, job .. ' ' .. by) end
end
