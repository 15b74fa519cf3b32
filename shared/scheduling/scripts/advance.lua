-- One step of the scheduler, at one instant: jobs come, jobs leave, slots are told of, and the next jobs are released.
-- Invariants: who has the least for his weight is next, among those of the first class that waits; nobody has more slots than he may;
-- a released job is given out again until its BullMQ node is there.
-- The instant is Redis's own: what a caller's clock says changes nothing.
-- KEYS see prelude.lua. ARGV jobs at most, slots ahead (percent), ageing (ms), worker ('' for none), its slots (0: it goes),
-- its lease (ms), JSON {stage: [{id, user, rank, cost, weight, limit?}], leave: [{id, tokens?}], renew: [id]}, payloads of the staged.
-- Returns the payloads of the jobs to be given to BullMQ, how many stay staged, and the slots of all workers: {staged, slots, payload...}
local now = redis_time()
local most, ahead, ageing = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local worker, slots, lease, work = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), cjson.decode(ARGV[7])

for i, job in ipairs(work.stage) do stage(job, ARGV[7 + i], now) end
for _, gone in ipairs(work.leave) do leave(gone.id, gone.tokens, now) end
for _, id in ipairs(work.renew) do renew(id, now) end
if worker ~= '' then
  redis.call('ZADD', P .. ':workers', slots > 0 and now + lease or 0, worker)
  redis.call('HSET', P .. ':slots', worker, slots)
end

local picked = {}

for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':releasing', '-inf', now - UNCONFIRMED_MS, 'LIMIT', 0, most)) do
  local payload = redis.call('HGET', P .. ':jobs', id)
  if payload then
    redis.call('ZADD', P .. ':releasing', now, id)
    picked[#picked + 1] = payload
  else
    redis.call('ZREM', P .. ':releasing', id)
  end
end

for _, flow in ipairs(redis.call('ZRANGEBYSCORE', P .. ':parked', '-inf', now, 'LIMIT', 0, most)) do
  redis.call('ZREM', P .. ':parked', flow)
  compete(flow, now)
end
for _, flow in ipairs(redis.call('ZRANGEBYSCORE', P .. ':since', '-inf', now - ageing)) do
  withdraw(flow)
  redis.call('ZADD', heads_of(1), start_of(user_of(flow)), flow)
end

local total = capacity_of(now)
local window = total > 0 and total + math.max(1, math.ceil(total * ahead / 100)) or WITHOUT_WORKERS
local free = math.min(most - #picked, window - load_of(total))

for rank = 1, RANKS do
  while free > 0 do
    local head = redis.call('ZRANGE', heads_of(rank), 0, 0, 'WITHSCORES')
    if #head == 0 then break end
    local flow, tag = head[1], tonumber(head[2])
    local finish = tonumber(redis.call('ZSCORE', P .. ':finish', user_of(flow)) or 0)
    if finish > tag then
      -- Another flow of the same user has had its turn meanwhile.
      redis.call('ZADD', heads_of(rank), finish, flow)
    else
      local id = redis.call('LINDEX', queue_of(flow), 0)
      local job = id and meta_of(id)
      local full = job and full_until(job, now)
      if not job then
        -- Somebody else has been at these keys. One job that nothing is known of keeps no other one waiting; its deadline ends it.
        if redis.call('LPOP', queue_of(flow)) then redis.call('HINCRBY', P .. ':staged', rank_of(flow), -1) end
        if redis.call('EXISTS', queue_of(flow)) == 0 then withdraw(flow) end
      elseif full then
        withdraw(flow)
        redis.call('ZADD', P .. ':parked', full, flow)
      else
        release(flow, id, job, tag, now)
        picked[#picked + 1] = redis.call('HGET', P .. ':jobs', id)
        free = free - 1
      end
    end
  end
end

-- A user who has had no more than the others is one like any other. Where nobody waits or runs, all are.
local staged = 0
for rank = 1, RANKS do staged = staged + tonumber(redis.call('HGET', P .. ':staged', rank) or 0) end
if staged == 0 and load_of(total) == 0 then
  redis.call('DEL', P .. ':finish')
else
  redis.call('ZREMRANGEBYSCORE', P .. ':finish', '-inf', number_at(P .. ':clock'))
end
return { staged, total, unpack(picked) }
