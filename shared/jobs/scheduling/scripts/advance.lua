-- One atomic step of the scheduler: it stages new jobs, removes ended jobs, records workers' slots, and releases the next jobs.
-- Invariants:
-- - In the highest class that has waiting jobs, the user with the least service for their weight is next.
-- - No user has more slots than their limit. One user's jobs never take all slots, nor do background and batch jobs together.
-- - A released job is returned again until its BullMQ node exists.
-- The step uses Redis's clock, not the callers'.
-- KEYS see prelude.lua. ARGV maximum number of jobs, slots ahead (percent), ageing (ms), one user's share of the slots (percent), the share
-- of background and batch jobs (percent), worker ('' for none), its slots (0: it stops), its lease (ms), JSON {stage: [{id, user, rank, cost,
-- weight, limit?}], leave: [{id, tokens?}], renew: [id], lost: [id]}, payloads of the staged jobs.
-- Returns {jobs that are still staged, slots of all workers, n, n payloads for BullMQ..., ids of jobs to check...}
local now = redis_time()
local most, ahead, ageing = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local user_percent, background_percent = tonumber(ARGV[4]), tonumber(ARGV[5])
local worker, slots, lease, work = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), cjson.decode(ARGV[9])

for i, job in ipairs(work.stage) do stage(job, ARGV[9 + i], now) end
for _, gone in ipairs(work.leave) do leave(gone.id, gone.tokens, now) end
for _, id in ipairs(work.renew) do renew(id, now) end
for _, id in ipairs(work.lost) do lost(id, now) end
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
for _, flow in ipairs(redis.call('ZRANGEBYSCORE', P .. ':since', '-inf', now - ageing, 'LIMIT', 0, most)) do
  withdraw(flow)
  redis.call('ZADD', heads_of(AGED), start_of(user_of(flow)), flow)
end

local total = capacity_of(now)
local few = math.max(1, math.ceil(total * ahead / 100))
local load = load_now()
-- Jobs that may be in flight: one for each slot, plus those whose context is being fetched.
local flight = total > 0 and total + math.min(load.preparing, preparing_limit(load, total, few, now)) or WITHOUT_WORKERS
local window = total > 0 and flight + few or WITHOUT_WORKERS
local free = math.min(most - #picked, window - load.ready - load.preparing)
-- With fewer than 4 slots, one user may take all of them: reserving one of 2 or 3 would waste too much capacity.
local of_user = total > 0 and share_of(flight, user_percent, 4) or math.huge
local of_background = share_of(flight, background_percent, 2)

-- The next flow in a set, and its tag. An older version put aged flows into the set of interactive ones; they move to `heads:aged`.
local function head_of(heads)
  while true do
    local head = redis.call('ZRANGE', heads, 0, 0, 'WITHSCORES')
    if #head == 0 then return nil end
    if heads ~= heads_of(1) or rank_of(head[1]) == 1 then return { heads = heads, flow = head[1], tag = tonumber(head[2]) } end
    redis.call('ZREM', heads, head[1])
    redis.call('ZADD', heads_of(AGED), head[2], head[1])
  end
end

local function next_head()
  local interactive = head_of(heads_of(1))
  if full_until(BACKGROUND, of_background, now) then return interactive end
  local aged = head_of(heads_of(AGED))
  if interactive and aged then return aged.tag < interactive.tag and aged or interactive end
  return interactive or aged or head_of(heads_of(2)) or head_of(heads_of(3))
end

while free > 0 do
  local head = next_head()
  if not head then break end
  local flow, tag = head.flow, head.tag
  local finish = tonumber(redis.call('ZSCORE', P .. ':finish', user_of(flow)) or 0)
  if finish > tag then
    -- Another flow of the same user has released a job meanwhile.
    redis.call('ZADD', head.heads, finish, flow)
  else
    local id = redis.call('LINDEX', queue_of(flow), 0)
    local job = id and meta_of(id)
    local full = job and full_until(running_of(job.user), math.min(job.limit or of_user, of_user), now)
    if not job then
      -- The job's metadata is missing, which only a change of these keys from outside can cause. Drop it, so that it does not block the flow;
      -- its deadline ends it.
      if redis.call('LPOP', queue_of(flow)) then redis.call('HINCRBY', P .. ':staged', rank_of(flow), -1) end
      if redis.call('EXISTS', queue_of(flow)) == 0 then withdraw(flow) end
    elseif full then
      withdraw(flow)
      redis.call('ZADD', P .. ':parked', full, flow)
    else
      release(flow, id, job, tag, now)
      picked[#picked + 1] = redis.call('HGET', P .. ':jobs', id) or nil
      free = free - 1
    end
  end
end

-- A user whose finish tag is not above the clock needs no tag. Without staged and running jobs, no user does.
local staged = 0
for _, count in ipairs(redis.call('HMGET', P .. ':staged', 1, 2, 3)) do staged = staged + tonumber(count or 0) end
local after = staged == 0 and load_now()
if after and after.ready + after.preparing == 0 then
  redis.call('DEL', P .. ':finish')
else
  redis.call('ZREMRANGEBYSCORE', P .. ':finish', '-inf', number_at(P .. ':clock'))
end
local released = #picked
for _, id in ipairs(due_for_a_look(now)) do picked[#picked + 1] = id end
return { staged, total, released, unpack(picked) }
