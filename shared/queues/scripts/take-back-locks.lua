-- Takes expired locks back for the worker that still runs the jobs, unless another worker has taken a job over.
-- Invariant: the script locks a job only if it is in `active` and has no lock. A takeover of a stalled job moves it out of `active` first
-- (BullMQ's moveStalledJobsToWait).
-- KEYS[1] the prefix of the queue's keys. ARGV the lock's duration in ms, then job id and token of each.
-- Returns the ids of the jobs that others have.
local lost = {}
for i = 2, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local lock = KEYS[1] .. ':' .. id .. ':lock'
  if redis.call('LPOS', KEYS[1] .. ':active', id) and redis.call('SET', lock, token, 'PX', ARGV[1], 'NX') then
    redis.call('SREM', KEYS[1] .. ':stalled', id)
  elseif redis.call('GET', lock) ~= token then
    lost[#lost + 1] = id
  end
end
return lost
