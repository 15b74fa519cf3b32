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
