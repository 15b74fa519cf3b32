-- Reserves the estimated usage of a job in all of its accounts or in none, or raises an existing reservation.
-- Invariant: the spent and the reserved amounts of an account never exceed its budget. One exception: a job without a limit for its
-- answer may run if nothing else is reserved and its usual usage fits. It reserves its full estimate, so that no other job is admitted
-- until it ends.
-- A new reservation expires after `brief` unless the job record exists by then (confirm.lua).
-- KEYS reservations, reserved, until (see prelude.lua), then the usage hashes of the lines, in the same order.
-- ARGV mode ('new': no change if the job has a reservation; 'raise': raise to at least the amounts), job, brief (ms), tokens, picodollars,
-- usual tokens and picodollars ('' if equal to the estimate), accounts (JSON), lines (JSON: [{account, kind 'tokens' | 'cost', limit}]).
-- Returns {'reserved'}, or {'refused', position of the line from 1, spent, reserved} (as texts).
local reservations, reserved, until_set = KEYS[1], KEYS[2], KEYS[3]
local mode, job, brief = ARGV[1], ARGV[2], tonumber(ARGV[3])
local most = { tokens = tonumber(ARGV[4]), cost = tonumber(ARGV[5]) }
local usual = ARGV[6] ~= '' and { tokens = tonumber(ARGV[6]), cost = tonumber(ARGV[7]) }
local accounts, lines = cjson.decode(ARGV[8]), cjson.decode(ARGV[9])

local FIELDS = {
  tokens = { 'reported/prompt', 'reported/completion', 'estimated/prompt', 'estimated/completion' },
  cost = { 'reported/cost', 'estimated/cost' },
}

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', until_set, '-inf', now, 'LIMIT', 0, 100)) do
  settle(reservations, reserved, until_set, gone)
end

local own, made_at = { tokens = 0, cost = 0 }, now
local found = redis.call('HGET', reservations, job)
if found then
  if mode == 'new' then return { 'reserved' } end
  local reservation = cjson.decode(found)
  own = { tokens = reservation[1], cost = reservation[2] }
  made_at = tonumber(reservation[4] or 0)
end
local more = { tokens = math.max(0, most.tokens - own.tokens), cost = math.max(0, most.cost - own.cost) }

for at, line in ipairs(lines) do
  local spent = 0
  for _, count in ipairs(redis.call('HMGET', KEYS[3 + at], unpack(FIELDS[line.kind]))) do spent = spent + tonumber(count or 0) end
  local open = tonumber(redis.call('HGET', reserved, line.account .. ' ' .. line.kind) or 0)
  local fits = more[line.kind] == 0 or spent + open + more[line.kind] <= line.limit
  local alone = usual and open == 0 and spent + usual[line.kind] <= line.limit
  if not fits and not alone then
    return { 'refused', at, string.format('%.0f', spent), string.format('%.0f', open) }
  end
end

local total = { string.format('%.0f', own.tokens + more.tokens), string.format('%.0f', own.cost + more.cost) }
redis.call('HSET', reservations, job, string.format('[%s,%s,%s,%.0f]', total[1], total[2], ARGV[8], made_at))
if not found then redis.call('ZADD', until_set, now + brief, job) end
for _, account in ipairs(accounts) do
  redis.call('HINCRBY', reserved, account .. ' tokens', string.format('%.0f', more.tokens))
  redis.call('HINCRBY', reserved, account .. ' cost', string.format('%.0f', more.cost))
end
return { 'reserved' }
