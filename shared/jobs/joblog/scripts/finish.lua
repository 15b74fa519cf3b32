-- Ends a job: writes the last events, the state and the outbox row atomically.
-- Invariants: each job has exactly one terminal event; the first one wins. The record and the log stay until the outcome is published and
-- the hooks have run (`settle.lua`).
-- KEYS record, log, open, outbox. ARGV job, fence ('' for a caller without it), nonce, expected sequence, state,
-- outcome (JSON), lifetime until then (ms), events... (the last one is the terminal event).
-- Returns {'finished', outbox row id, last sequence, duties}; {'moved'} when the log has changed since a caller without the fence read it;
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
  -- The caller computed the outcome from the log as it read it, so the log must not have grown since.
  if seq ~= expected then return { 'moved' } end
else
  if found[4] ~= fence or found[5] ~= nonce then return { 'fenced' } end
  if seq < expected then return { 'behind', seq } end
  first = first + (seq - expected)
end
local last = append(record, log, job, found[2], seq, ARGV, first)
local row, duties = close(KEYS, job, ending, outcome, lifetime)
return { 'finished', row, last, duties }
