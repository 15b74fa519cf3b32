-- Answers a job with what is there already: admitting -> completed, all of its log at once.
-- Invariant: a cancellation comes before it, and then nothing is served, or after it, and then changes nothing.
-- KEYS record, log, open, outbox. ARGV job, outcome (JSON), lifetime (ms, while something is owed), events...
-- Returns {'finished', outbox row id, last sequence, duties}; {} for a job that is not to be answered so: it was routed or has
-- ended, was asked to end, or has no record.
local record, log = KEYS[1], KEYS[2]
local job, outcome, lifetime = unpack(ARGV, 1, 3)

local found = redis.call('HMGET', record, 'state', 'readers', 'cancel')
if found[1] ~= 'admitting' or found[3] ~= '' then return {} end
local last = append(record, log, job, found[2], 0, ARGV, 4)
local row, duties = close(KEYS, job, 'completed', outcome, lifetime)
return { 'finished', row, last, duties }
