-- Creates a job's record in state `admitting`, or returns the existing record.
-- Invariant: there is one record per job id. It keeps the owner and the body hash of the first request.
-- KEYS record, open. ARGV job, owner, body hash, deadline (ms), accepted (ms), reader channel, lifetime (ms), user hash, model,
-- foreground ('1': the job is cancelled when it has no readers), patience (grace period without a reader, ms), duties (completion hooks),
-- original, publisher (see `NewJob` in job-log.ts).
-- Returns {'new'} or {'exists', state, owner, body hash, last sequence, accepted (ms)}.
local record, open = KEYS[1], KEYS[2]
local job, owner, hash, deadline, accepted, reader, lifetime, user_hash, model, foreground, patience, duties, original, publisher = unpack(ARGV)

local found = redis.call('HMGET', record, 'state', 'owner', 'hash', 'seq', 'readers', 'created', 'publishers')
-- The client may retry a refused job. A message of the refused job may still be on the topic; it is identical to the new one.
local again = found[1] == 'refused' and found[2] == owner and found[3] == hash
if found[1] and not again then
  -- Only the same request from the same user may read the job.
  if found[2] == owner and found[3] == hash then
    join(record, found[5], reader)
    -- An earlier release wrote no list of publishers. '?' stands for its unknown publisher.
    if found[1] == 'admitting' and publisher ~= '' then
      redis.call('HSET', record, 'publishers', (found[7] or '?') .. ' ' .. publisher)
    end
  end
  return { 'exists', found[1], found[2], found[3], tonumber(found[4]), tonumber(found[6]) }
end
redis.call('HSET', record, 'state', 'admitting', 'owner', owner, 'hash', hash, 'deadline', deadline, 'created', accepted,
  'seq', 0, 'fence', 0, 'nonce', '', 'readers', reader, 'holder', '', 'cancel', '', 'user_hash', user_hash,
  'model', model, 'foreground', foreground, 'patience', patience, 'left', '', 'duties', duties, 'original', original, 'publishers', publisher)
redis.call('HDEL', record, 'cancel_at')
redis.call('PEXPIRE', record, lifetime)
redis.call('ZADD', open, deadline, job)
return { 'new' }
