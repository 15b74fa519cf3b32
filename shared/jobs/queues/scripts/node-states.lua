-- Returns the states of these jobs in BullMQ. A node that exists does not always run: its state decides.
-- KEYS[1] the prefix of the queue's keys. ARGV job ids. Returns for each, in their order:
--   'queued'    BullMQ will run it: it waits, runs, or waits for its children, all of which exist
--   'completed', 'failed'
--   'lost'      its data exists, but it is in no list, or a child that it waits for is gone: it will never run
--   'gone'      it does not exist
local states = {}
for i, id in ipairs(ARGV) do states[i] = node_state(KEYS[1], id) end
return states
