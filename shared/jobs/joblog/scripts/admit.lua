-- Creates a job's record as `admitting`, or finds the one that is there.
-- Invariant: one record per job id, with the owner and the body that came first.
-- KEYS record, open. ARGV job, owner, body hash, deadline (ms), accepted (ms), reader channel, lifetime (ms), user hash, model,
-- foreground ('1' when the job dies with its readers), patience (ms without a reader), duties, original, publisher (see job-log.ts).
-- Returns {'new'} or {'exists', state, owner, body hash, last sequence, accepted (ms)}.
local record, open = KEYS[1], KEYS[2]
local job, owner, hash, deadline, accepted, reader, lifetime, user_hash, model, foreground, patience, duties, original, publisher = unpack(ARGV)

local found = redis.call('HMGET', record, 'state', 'owner', 'hash', 'seq', 'readers', 'created', 'publishers')
-- A refused job may be asked for again. Its message may still be on the topic: it is the same one.
local again = found[1] == 'refused' and found[2] == owner and found[3] == hash
if found[1] and not again then
  -- Only the same user's same request becomes another reader of the job.
  if found[2] == owner and found[3] == hash then
    join(record, found[5], reader)
    -- A record without the list is of an earlier version, whose publisher is not known.
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
