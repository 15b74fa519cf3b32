-- Appends the events of the attempt that holds the fence.
-- Invariants: only the holder appends; the sequence it expects is the log's own, so nothing is lost, doubled or torn.
-- KEYS record, log. ARGV job, fence, nonce, expected sequence, events...
-- Returns {'appended', last sequence, cancel ('' or who asked for it)}, also for a repetition of what is there already; {'behind', last sequence} when
-- the log lost its end (the holder sends it again); {'fenced'}; {state} when the job has ended; {''} without a record.
local record, log = KEYS[1], KEYS[2]
local job, fence, nonce, expected = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local found = redis.call('HMGET', record, 'state', 'readers', 'seq', 'fence', 'nonce', 'cancel')
local state, seq = found[1], tonumber(found[3])
if not state then return { '' } end
if ENDED[state] then return { state } end
if found[4] ~= fence or found[5] ~= nonce then return { 'fenced' } end
if seq < expected then return { 'behind', seq } end
-- The reply to this very append was lost: some or all of it is there. The holder is one, so the prefix is its own.
local first = 5 + (seq - expected)
return { 'appended', append(record, log, job, found[2], seq, ARGV, first), found[6] }
