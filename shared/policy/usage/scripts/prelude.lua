-- What is promised to jobs that have not ended, by account. A reservation is made at the admission and goes with the job's outcome, in
-- the very script that adds what it came to (services/metrics/ledger/apply-batch.lua): the books never have it twice, and never not at all.
-- KEYS reservations (hash: job -> JSON [tokens, picodollars, [account], when it was made (ms)]), reserved (hash: `<account> tokens|cost` -> sum), until (zset: job ->
-- when it has ended in any case, ms).
-- A reservation is brief (`until` is a minute away) until its job has a record; then it stays until the job has ended in any case.
-- Invariant: `reserved` is the sum over `reservations`.

-- An outcome is measured by a process's estimate of Redis's clock.
local CLOCK_ERROR_MS = 10000

-- `ended_at` (ms; nil: in any case): a reservation that was made later is that of another job, which an idempotency key made under the same id.
local function settle(reservations, reserved, until_set, job, ended_at)
  local found = redis.call('HGET', reservations, job)
  if not found then return end
  local reservation = cjson.decode(found)
  if ended_at and tonumber(reservation[4] or 0) > ended_at + CLOCK_ERROR_MS then return end
  redis.call('HDEL', reservations, job)
  redis.call('ZREM', until_set, job)
  for _, account in ipairs(reservation[3]) do
    for at, kind in ipairs({ 'tokens', 'cost' }) do
      local field = account .. ' ' .. kind
      -- Not -x: Lua writes -0 as "-0", which Redis takes for no number.
      if redis.call('HINCRBY', reserved, field, string.format('%.0f', 0 - reservation[at])) <= 0 then
        redis.call('HDEL', reserved, field)
      end
    end
  end
end
