-- The fence before the state's topic, which has none. Invariant: the epochs committed grow by at most one at a time, each is
-- committed by the holder of the lease, and none twice with another meaning: who leads next goes on from what is here.
-- KEYS lease (string), state (hash). ARGV '<term>:<holder>', the epoch that the caller believes committed, the new epoch, JSON.
-- Returns 1, or 0 when nothing was changed. A Redis that lost the state takes any.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if epoch and epoch ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], 'epoch', ARGV[3], 'json', ARGV[4])
return 1
