-- Lets a job in, or tells when it may come again.
-- Invariants: no user has more open jobs than he may, nor more than there are places left (a threshold that falls as the house fills:
-- Choudhury and Hahne 1998, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", section 3): so nobody fills it alone.
-- Who is refused is told of a place that nobody else of his was told of.
-- KEYS see prelude.lua. ARGV job, user, now (ms), until (ms; it has ended by then), his limit ('' for none), places, longest wait
-- (ms; '' for any).
-- Returns {'in'}, or {'limit' | 'full' | 'wait', ms until a place is expected, jobs ahead of it, ms that it would wait}.
local job, user, now, until_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local limit, places, longest = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local member = job .. ' ' .. user

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', open, '-inf', now, 'LIMIT', 0, 100)) do
  leave(gone, string.match(gone, ' (.*)$'), '', now)
end
if redis.call('ZSCORE', open, member) then return { 'in' } end

local total, mine = redis.call('ZCARD', open), tonumber(redis.call('HGET', users, user) or 0)
local active = redis.call('HLEN', users) + (mine == 0 and 1 or 0)
local known = redis.call('HMGET', pace, 'slots', 'at', 'mean')
-- Where every slot is taken and nothing has ended for long, the pace is not what it was.
local between = known[3] and math.max(tonumber(known[3]), known[2] and (now - tonumber(known[2])) / 5 or 0)
-- Each of those who wait gets one of `active` ends.
local turn = between and between * active or 1000
local wait = between and total >= tonumber(known[1]) and (mine + 1) * turn or 0

local why = nil
if limit and mine >= limit then
  why = 'limit'
elseif mine >= places - total then
  why = 'full'
elseif longest and wait > longest then
  why = 'wait'
end
if not why then
  redis.call('ZADD', open, until_ms, member)
  redis.call('HINCRBY', users, user, 1)
  return { 'in' }
end

local earliest = why == 'wait' and now + wait - longest or now
local place = math.max(earliest, tonumber(redis.call('HGET', promised, user) or 0)) + turn
-- Nobody is sent away for longer: what is known of the pace is not good for more.
place = math.min(place, now + 60000)
redis.call('HSET', promised, user, string.format('%.0f', place))
return { why, math.ceil(place - now), mine, math.ceil(wait) }
