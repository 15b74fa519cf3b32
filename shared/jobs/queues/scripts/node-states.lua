-- What BullMQ has of these jobs. A node that exists is not a promise that it will run: its state is what counts.
-- KEYS[1] the prefix of the queue's keys. ARGV job ids. Returns for each, in their order:
--   'queued'    BullMQ will run it: it waits, runs, or waits for its children, all of which exist
--   'completed', 'failed'
--   'lost'      its data is there, but it stands in no list, or a child that it waits for is gone: it will never run
--   'gone'      nothing of it is there
local states = {}
for i, id in ipairs(ARGV) do states[i] = node_state(KEYS[1], id) end
return states
