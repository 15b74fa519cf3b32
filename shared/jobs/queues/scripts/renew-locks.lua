-- Renews the locks of the jobs that a process runs. An expired lock is taken back, unless another worker has taken the job over.
-- Invariant: the script locks a job only if the caller holds its lock, or if the job is in `active` and has no lock. A takeover of a stalled
-- job moves it out of `active` first (BullMQ's moveStalledJobsToWait).
-- KEYS[1] the prefix of BullMQ's keys. ARGV the lock's duration in ms, then queue, job id and token of each.
-- Returns the positions of the lost locks, from 0.
local lost = {}
for i = 2, #ARGV, 3 do
  local queue, id, token = KEYS[1] .. ':' .. ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local lock = queue .. ':' .. id .. ':lock'
  local holder = redis.call('GET', lock)
  if holder == token or (not holder and redis.call('LPOS', queue .. ':active', id)) then
    redis.call('SET', lock, token, 'PX', ARGV[1])
    redis.call('SREM', queue .. ':stalled', id)
  else
    lost[#lost + 1] = (i - 2) / 3
  end
end
return lost
