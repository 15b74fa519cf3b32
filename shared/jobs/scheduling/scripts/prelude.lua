-- Fair scheduling of jobs before the model: start-time fair queueing (Goyal, Vin, Cheng 1996, "Start-time Fair Queueing", section 2) over
-- users, by estimated tokens that are corrected when a job has ended (as the Virtual Token Counter does: Sheng et al. 2024,
-- "Fairness in Serving Large Language Models", section 4).
--
-- A flow is the FIFO queue of one user's jobs of one class, `<rank>:<user>`. Ranks: 1 interactive, 2 background, 3 batch. A job:
--   staged (in its flow's queue) -> released (handed to BullMQ; it takes one of its user's slots) -> gone (it has ended)
--   `releasing`: released and not confirmed yet. Steps return such a job again every UNCONFIRMED_MS until a process confirms it.
--   `released`: every released job, by the time of its next check in BullMQ. A job that is open and that BullMQ will not run (its node was
--   lost, or its attempt did not end it) is released again: at once if it still has its slot, otherwise from the head of its flow's queue.
-- A slot stays taken until its job ends, or until a check finds the job neither in BullMQ nor on its way there. No timer frees a slot: a
-- job that waits an hour for a worker keeps its slot for that hour.
-- A flow: empty -> ahead (its first job competes, in `heads:<rank>`) <-> parked (all slots of its user are taken) -> empty. A flow that
-- was ahead for too long (`since`) competes with the interactive flows, in `heads:aged`, until its first job is released.
--
-- Tags are in tokens divided by weight. `clock` is the start tag of the last released job. A user's next start tag is the finish tag of
-- their last job (`finish`) or the clock, whichever is later. All flows of a user share one tag, so using more classes gives no larger share.
-- BullMQ runs released jobs in its own order. Therefore only about as many jobs are released as workers have slots, plus a few. Two shares
-- limit releases further: one user's jobs never take all slots, nor do background and batch jobs (`background`, a zset like `running`).
-- So a request finds a slot even if another user has thousands of jobs, or if all other jobs are background and batch jobs.
--
-- All keys share BullMQ's hash tag, and so its cluster slot. KEYS[1] is the prefix of the scheduler's keys, KEYS[2] that of the model queue.
local P, B = KEYS[1], KEYS[2]

-- How often a released job is checked in BullMQ, and how many jobs one step checks.
local CHECK_MS = 10000
local CHECKS_AT_ONCE = 64
-- Longer than the longest deadline (24 h). Expires sets whose jobs' ends were never reported.
local SLOT_LIFETIME_MS = 90000000
-- A released job that is not confirmed by then was picked by a process that died. It is picked again.
local UNCONFIRMED_MS = 3000
local RANKS = 3
-- Without workers, this many jobs are released, so that the first worker to start finds some.
local WITHOUT_WORKERS = 16

-- Redis's clock, the same for all processes; constant within a script.
local function redis_time()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function number_at(key) return tonumber(redis.call('GET', key) or 0) end

local function user_of(flow) return string.sub(flow, 3) end
local function rank_of(flow) return tonumber(string.sub(flow, 1, 1)) end
local function queue_of(flow) return P .. ':queue:' .. flow end
local function heads_of(rank) return P .. ':heads:' .. rank end
local AGED = 'aged'
local BACKGROUND = P .. ':background'
local function running_of(user) return P .. ':running:' .. user end

local function meta_of(id)
  local found = redis.call('HGET', P .. ':meta', id)
  return found and cjson.decode(found)
end

-- The start tag of a user's next job.
local function start_of(user)
  return math.max(number_at(P .. ':clock'), tonumber(redis.call('ZSCORE', P .. ':finish', user) or 0))
end

-- Lets the flow's first job compete.
local function compete(flow, now)
  redis.call('ZADD', heads_of(rank_of(flow)), start_of(user_of(flow)), flow)
  if rank_of(flow) > 1 then redis.call('ZADD', P .. ':since', now, flow) end
end

-- Stops the flow's first job from competing.
local function withdraw(flow)
  redis.call('ZREM', heads_of(rank_of(flow)), flow)
  if rank_of(flow) == 1 then return end -- interactive flows do not age
  redis.call('ZREM', heads_of(AGED), flow)
  redis.call('ZREM', P .. ':since', flow)
end

-- The sets in which a released job counts: its user's, and for background and batch jobs also `background`.
local function slots_of(job)
  return job.rank > 1 and { running_of(job.user), BACKGROUND } or { running_of(job.user) }
end

-- Takes a slot for a job, which is checked in BullMQ at `check_at`.
local function take_slot(job, id, check_at)
  for _, slots in ipairs(slots_of(job)) do
    redis.call('ZADD', slots, check_at, id)
    redis.call('PEXPIRE', slots, SLOT_LIFETIME_MS)
  end
end

-- Puts a job into its flow's queue. `push`: RPUSH for a new job, LPUSH for one that was released before.
local function enqueue(job, push, now)
  local flow = job.rank .. ':' .. job.user
  redis.call('HSET', P .. ':meta', job.id, cjson.encode(job))
  redis.call('HINCRBY', P .. ':staged', job.rank, 1)
  redis.call('HINCRBYFLOAT', P .. ':staged', 'cost', job.cost)
  if redis.call(push, queue_of(flow), job.id) == 1 then compete(flow, now) end
end

local function count_out(job)
  redis.call('HINCRBY', P .. ':staged', job.rank, -1)
  redis.call('HINCRBYFLOAT', P .. ':staged', 'cost', -job.cost)
end

-- Lets the user's parked flows compete again, now that one of the user's slots is free.
local function unpark(user, now)
  if redis.call('EXISTS', P .. ':parked') == 0 then return end
  for rank = 1, RANKS do
    local flow = rank .. ':' .. user
    if redis.call('ZREM', P .. ':parked', flow) == 1 then compete(flow, now) end
  end
end

-- Charges a job's actual tokens instead of its estimate.
local function correct(job, tokens)
  local user = job.user
  local finish = start_of(user) + (tokens - job.cost) / job.weight
  redis.call('ZADD', P .. ':finish', finish, user)
  local start = start_of(user)
  for rank = 1, RANKS do
    local flow = rank .. ':' .. user
    redis.call('ZADD', heads_of(rank), 'XX', start, flow)
    if rank > 1 then redis.call('ZADD', heads_of(AGED), 'XX', start, flow) end
  end
end

-- Removes an ended job. Idempotent by job.
local function leave(id, tokens, now)
  local job = meta_of(id)
  if not job then return end
  local flow = job.rank .. ':' .. job.user
  redis.call('HDEL', P .. ':meta', id)
  redis.call('HDEL', P .. ':jobs', id)
  redis.call('ZREM', P .. ':releasing', id)
  redis.call('ZREM', P .. ':released', id)
  if job.released then
    for _, slots in ipairs(slots_of(job)) do redis.call('ZREM', slots, id) end
    if tokens then correct(job, tokens) end
    unpark(job.user, now)
    return
  end
  redis.call('LREM', queue_of(flow), 1, id)
  count_out(job)
  if redis.call('EXISTS', queue_of(flow)) == 0 then
    withdraw(flow)
    redis.call('ZREM', P .. ':parked', flow)
  end
end

-- A worker reports that it runs the job: postpones the check in BullMQ, and takes the job's slot again if it was lost.
local function renew(id, now)
  local job = meta_of(id)
  if not job or not job.released then return end
  take_slot(job, id, now + CHECK_MS)
  redis.call('ZADD', P .. ':released', now + CHECK_MS, id)
end

-- The slots of the workers whose leases have not expired.
local function capacity_of(now)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', P .. ':workers', '-inf', now)) do
    redis.call('ZREM', P .. ':workers', gone)
    redis.call('HDEL', P .. ':slots', gone)
  end
  local slots = 0
  for _, count in ipairs(redis.call('HVALS', P .. ':slots')) do slots = slots + tonumber(count) end
  return slots
end

-- The load of BullMQ. `ready`: jobs that need a slot now or soon; `waiting`, `active`: those that wait for a slot or have one; `preparing`:
-- jobs whose context is being fetched.
local function load_now()
  local waiting, active = redis.call('LLEN', B .. ':wait'), redis.call('LLEN', B .. ':active')
  local coming = redis.call('ZCARD', B .. ':delayed') + redis.call('ZCARD', P .. ':releasing')
  return {
    waiting = waiting,
    active = active,
    preparing = redis.call('ZCARD', B .. ':waiting-children'),
    ready = waiting + active + coming,
  }
end

-- How many jobs may have their context fetched in addition to those that have slots. The minimum is `ahead`: all of them may become ready at once,
-- and would then run before jobs that come later. While slots stay free because no job is ready, the limit doubles each second. While ready
-- jobs wait for slots, it halves each second.
local function preparing_limit(load, slots, ahead, now)
  local known = redis.call('HMGET', P .. ':preparing', 'limit', 'at')
  local limit = math.max(ahead, math.min(slots, tonumber(known[1] or ahead)))
  if now - tonumber(known[2] or 0) < 1000 then return limit end
  local wanted = limit
  if load.waiting > ahead then
    wanted = math.max(ahead, math.floor(limit / 2))
  elseif load.waiting == 0 and load.active < slots and load.preparing >= limit then
    wanted = math.min(slots, limit * 2)
  end
  redis.call('HSET', P .. ':preparing', 'limit', wanted, 'at', now)
  return wanted
end

-- A share of the slots that leaves at least one free; no limit when there are fewer than `at_least` slots.
local function share_of(slots, percent, at_least)
  if percent >= 100 or slots < at_least then return math.huge end
  return math.max(1, math.min(slots - 1, math.ceil(slots * percent / 100)))
end

-- True when a released job is on its way to BullMQ, or BullMQ has it and has not finished it.
local function will_run(id)
  if redis.call('ZSCORE', P .. ':releasing', id) then return true end
  return redis.call('EXISTS', B .. ':' .. id) == 1
    and not redis.call('ZSCORE', B .. ':completed', id)
    and not redis.call('ZSCORE', B .. ':failed', id)
end

-- Releases a job again: at once if it still has its slot, otherwise from the head of its flow's queue.
local function release_again(job, now)
  if redis.call('ZSCORE', running_of(job.user), job.id) then
    redis.call('ZADD', P .. ':releasing', 0, job.id)
  else
    job.released = nil
    redis.call('ZREM', P .. ':released', job.id)
    enqueue(job, 'LPUSH', now)
  end
end

-- Invariant: a job is staged once, even if its message is delivered several times. A released job is released again only if BullMQ will not run it.
local function stage(job, payload, now)
  local known = meta_of(job.id)
  if not known then
    redis.call('HSET', P .. ':jobs', job.id, payload)
    enqueue(job, 'RPUSH', now)
  elseif not known.released then
    redis.call('HSETNX', P .. ':jobs', job.id, payload)
  elseif not will_run(job.id) then
    redis.call('HSET', P .. ':jobs', job.id, payload)
    release_again(known, now)
  end
end

-- Releases an open job again that BullMQ will not run. Release 0.1.0 deletes the payload at confirmation; such a job is released again only
-- when its message is delivered again.
local function lost(id, now)
  local job = meta_of(id)
  if not job or not job.released or redis.call('ZSCORE', P .. ':releasing', id) then return end
  if redis.call('HEXISTS', P .. ':jobs', id) == 1 then release_again(job, now) end
end

-- Checks the jobs in these slots whose check is due, and frees the slots of those that BullMQ will not run.
local function check_slots(slots, now)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', slots, '-inf', now, 'LIMIT', 0, CHECKS_AT_ONCE)) do
    if will_run(id) then
      redis.call('ZADD', slots, now + CHECK_MS, id)
    else
      redis.call('ZREM', slots, id)
    end
  end
end

-- If all `most` slots are taken: the time at which the next check may free one. Otherwise nil.
local function full_until(slots, most, now)
  if redis.call('ZCARD', slots) < most then return nil end
  check_slots(slots, now)
  redis.call('PEXPIRE', slots, SLOT_LIFETIME_MS)
  if redis.call('ZCARD', slots) < most then return nil end
  return math.max(now, tonumber(redis.call('ZRANGE', slots, 0, 0, 'WITHSCORES')[2]))
end

-- Confirmed jobs whose check in BullMQ is due.
local function due_for_a_look(now)
  local due = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':released', '-inf', now, 'LIMIT', 0, CHECKS_AT_ONCE)) do
    if redis.call('HEXISTS', P .. ':meta', id) == 1 then
      redis.call('ZADD', P .. ':released', now + CHECK_MS, id)
      if not redis.call('ZSCORE', P .. ':releasing', id) then due[#due + 1] = id end
    else
      redis.call('ZREM', P .. ':released', id)
    end
  end
  return due
end

local function release(flow, id, job, tag, now)
  redis.call('LPOP', queue_of(flow))
  withdraw(flow)
  count_out(job)
  job.released = true
  redis.call('HSET', P .. ':meta', id, cjson.encode(job))
  redis.call('ZADD', P .. ':releasing', now, id)
  redis.call('ZADD', P .. ':released', now + CHECK_MS, id)
  take_slot(job, id, now + CHECK_MS)
  redis.call('SET', P .. ':clock', string.format('%.17g', math.max(number_at(P .. ':clock'), tag)))
  redis.call('ZADD', P .. ':finish', tag + job.cost / job.weight, job.user)
  if redis.call('EXISTS', queue_of(flow)) == 1 then compete(flow, now) end
end
