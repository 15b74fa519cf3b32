-- Appends the events of the attempt that holds the fence.
-- Invariants: only the holder appends. The log must be at the sequence that the holder expects, so no event is lost, duplicated or split.
-- KEYS record, log. ARGV job, fence, nonce, expected sequence, events...
-- Returns {'appended', last sequence, cancel (who requested cancellation, or '')}, also when a retry finds its events in the log;
-- {'behind', last sequence} when the log lost its tail (the holder sends those events again); {'fenced'} when another attempt holds the
-- fence; {state} when the job has ended; {''} when there is no record.
local record, log = KEYS[1], KEYS[2]
local job, fence, nonce, expected = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local found = redis.call('HMGET', record, 'state', 'readers', 'seq', 'fence', 'nonce', 'cancel')
local state, seq = found[1], tonumber(found[3])
if not state then return { '' } end
if ENDED[state] then return { state } end
if found[4] ~= fence or found[5] ~= nonce then return { 'fenced' } end
if seq < expected then return { 'behind', seq } end
-- If the reply to this append was lost, some or all of its events are in the log already. Only the holder appends, so they are its own:
-- skip them.
local first = 5 + (seq - expected)
return { 'appended', append(record, log, job, found[2], seq, ARGV, first), found[6] }
