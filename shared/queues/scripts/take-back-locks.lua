-- Takes back the locks that ran out while their holder lived, where nobody has taken the jobs over meanwhile.
-- Invariant: a lock is only taken of a job that is still active and that nobody has locked: whoever takes a stalled job over moves it out
-- of `active` first (BullMQ's moveStalledJobsToWait).
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
