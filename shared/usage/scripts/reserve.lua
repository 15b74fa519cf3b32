-- Reserves what a job will probably cost, in all of its accounts or in none.
-- Invariant: what an account has spent in a period, what is reserved, and this job are no more than its budget.
-- KEYS reservations, reserved, until (see prelude.lua), then the usage hashes of the lines, in their order.
-- ARGV job, until (ms), tokens, picodollars, accounts (JSON), lines (JSON: [{account, kind 'tokens' | 'cost', limit}]).
-- Returns {'reserved'}, or {'refused', position of the line from 1, spent, reserved} (texts).
local reservations, reserved, until_set = KEYS[1], KEYS[2], KEYS[3]
local job, until_ms = ARGV[1], ARGV[2]
-- Redis's clock, so that no process whose own is ahead gives back what is still reserved.
local now = tonumber(redis.call('TIME')[1]) * 1000
local estimate = { tokens = tonumber(ARGV[3]), cost = tonumber(ARGV[4]) }
local accounts, lines = cjson.decode(ARGV[5]), cjson.decode(ARGV[6])

local FIELDS = {
  tokens = { 'reported/prompt', 'reported/completion', 'estimated/prompt', 'estimated/completion' },
  cost = { 'reported/cost', 'estimated/cost' },
}

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', until_set, '-inf', now, 'LIMIT', 0, 100)) do
  settle(reservations, reserved, until_set, gone)
end
if redis.call('HEXISTS', reservations, job) == 1 then return { 'reserved' } end

for at, line in ipairs(lines) do
  local spent = 0
  for _, count in ipairs(redis.call('HMGET', KEYS[3 + at], unpack(FIELDS[line.kind]))) do spent = spent + tonumber(count or 0) end
  local open = tonumber(redis.call('HGET', reserved, line.account .. ' ' .. line.kind) or 0)
  if spent + open + estimate[line.kind] > line.limit then
    return { 'refused', at, string.format('%.0f', spent), string.format('%.0f', open) }
  end
end

redis.call('HSET', reservations, job, cjson.encode({ estimate.tokens, estimate.cost, accounts }))
redis.call('ZADD', until_set, until_ms, job)
for _, account in ipairs(accounts) do
  redis.call('HINCRBY', reserved, account .. ' tokens', ARGV[3])
  redis.call('HINCRBY', reserved, account .. ' cost', ARGV[4])
end
return { 'reserved' }
