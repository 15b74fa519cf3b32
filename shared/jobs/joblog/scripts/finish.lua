-- Ends a job: the last events with the terminal one, the state and the outbox row, all or nothing.
-- Invariants: exactly one terminal event per job; the first wins. It keeps its record and log until `settle.lua` says that what it owes
-- is done.
-- KEYS record, log, open, outbox. ARGV job, fence ('' for one who holds none), nonce, expected sequence, state,
-- outcome (JSON), lifetime (ms, while something is owed), events... (the last one is the terminal).
-- Returns {'finished', outbox row id, last sequence, duties}; {'moved'} when the log is not as one without a fence expects it;
-- otherwise as append.lua.
local record, log = KEYS[1], KEYS[2]
local job, fence, nonce, expected, ending, outcome, lifetime = unpack(ARGV, 1, 7)

local found = redis.call('HMGET', record, 'state', 'readers', 'seq', 'fence', 'nonce')
local state, seq = found[1], tonumber(found[3])
if not state then return { '' } end
if ENDED[state] then return { state } end
local first = 8
expected = tonumber(expected)
if fence == '' then
  -- The outcome was made from the log as it was read: it must not have grown since.
  if seq ~= expected then return { 'moved' } end
else
  if found[4] ~= fence or found[5] ~= nonce then return { 'fenced' } end
  if seq < expected then return { 'behind', seq } end
  first = first + (seq - expected)
end
local last = append(record, log, job, found[2], seq, ARGV, first)
local row, duties = close(KEYS, job, ending, outcome, lifetime)
return { 'finished', row, last, duties }
