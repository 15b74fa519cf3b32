-- What the job log's scripts share. Record: the hash of one job; log: the stream of its events.
--
-- The record's `state` moves only here:
--   admitting -> refused | queued -> running -> completed | failed | cancelled
-- `running` may follow itself (another attempt, under a new fence). An ended job never moves again.
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

-- Asks for a job's end, at that time (ms). The holder of the fence hears of it at once. Where that message is lost, it sees
-- the flag at its next append, or when it next renews its lock: a call whose answer is withheld appends nothing.
local function request_cancel(record, job, by, now)
  redis.call('HSET', record, 'cancel', by)
  redis.call('HSETNX', record, 'cancel_at', now)
  local holder = redis.call('HGET', record, 'holder')
  if holder and holder ~= '' then redis.call('PUBLISH', holder, job .. ' ' .. by) end
end
