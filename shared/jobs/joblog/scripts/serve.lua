-- Answers a job from the cache: admitting -> completed, with its whole log in one step.
-- Invariant: a cancellation before this step prevents it; a cancellation after it has no effect.
-- KEYS record, log, open, outbox. ARGV job, outcome (JSON), lifetime until the outcome is published and the hooks have run (ms), events...
-- Returns {'finished', outbox row id, last sequence, duties}; {} when the job was routed, has ended, was asked to cancel, or has no record.
local record, log = KEYS[1], KEYS[2]
local job, outcome, lifetime = unpack(ARGV, 1, 3)

local found = redis.call('HMGET', record, 'state', 'readers', 'cancel')
if found[1] ~= 'admitting' or found[3] ~= '' then return {} end
local last = append(record, log, job, found[2], 0, ARGV, 4)
local row, duties = close(KEYS, job, 'completed', outcome, lifetime)
return { 'finished', row, last, duties }
