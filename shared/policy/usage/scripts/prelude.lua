-- Reservations for jobs that have not ended, by account. Admission makes a reservation. The script that bills the job's actual usage
-- (services/metrics/ledger/apply-batch.lua) removes it in the same step, so the books always count either the reservation or the usage.
-- KEYS reservations (hash: job -> JSON [tokens, picodollars, [account], time of the reservation (ms)]), reserved (hash:
-- `<account> tokens|cost` -> sum), until (zset: job -> time by which the job must have ended, ms).
-- A reservation expires after a minute (`until`) unless the job record exists by then; after that it lasts until the job must have ended.
-- Invariant: `reserved` is the sum over `reservations`.

-- Tolerance for the time of an outcome, which a process takes from its estimate of Redis's clock.
local CLOCK_ERROR_MS = 10000

-- `ended_at` (ms; nil: settle in any case): a reservation made later belongs to another job, which an idempotency key created under the
-- same id.
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
      -- Not -x: Lua writes -0 as "-0", which Redis does not accept as a number.
      if redis.call('HINCRBY', reserved, field, string.format('%.0f', 0 - reservation[at])) <= 0 then
        redis.call('HDEL', reserved, field)
      end
    end
  end
end
