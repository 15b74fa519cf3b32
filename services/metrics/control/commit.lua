-- Fences the topic of the control state, which has no fence itself: a leader commits a state here before it publishes it.
-- Invariant: committed epochs grow by at most one at a time. Each is committed by the holder of the lease, and no epoch is committed
-- twice with different content, because the next leader continues from the state stored here.
-- KEYS lease (string), state (hash). ARGV '<term>:<holder>', the epoch that the caller expects to be committed, the new epoch, JSON.
-- Returns 1, or 0 when nothing was changed. If Redis has lost the state, any epoch is accepted.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if epoch and epoch ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], 'epoch', ARGV[3], 'json', ARGV[4])
return 1
