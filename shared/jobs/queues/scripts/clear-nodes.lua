-- Removes old nodes that would prevent adding these jobs: BullMQ ignores a new job when its id exists in any state.
-- Invariants: a node of the same job stays if BullMQ will run it, and so does any node that a worker has locked. A failed node of the same
-- job also stays: workers end the job that BullMQ gave up. Nodes of an earlier job with the same id are removed.
-- KEYS[1] the prefix of the model queue's keys. ARGV[1] 'ended', or 'all' to remove the nodes of a MULTI that failed in part;
-- ARGV[2] JSON [{id, acceptedAt, children: [{queue, id}]}], with the prefix of each child's queue.
local B = KEYS[1]

local function remove(queue, id)
  local key = queue .. ':' .. id
  if redis.call('EXISTS', key .. ':lock') == 1 then return end
  for _, name in ipairs(LISTS) do redis.call('LREM', queue .. ':' .. name, 0, id) end
  for _, names in ipairs({ SETS, ENDINGS }) do
    for _, name in ipairs(names) do redis.call('ZREM', queue .. ':' .. name, id) end
  end
  redis.call('DEL', key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed', key .. ':unsuccessful')
end

local function is_same_job(job)
  local read, data = pcall(cjson.decode, redis.call('HGET', B .. ':' .. job.id, 'data') or '')
  return read and type(data) == 'table' and data.acceptedAt == job.acceptedAt
end

local function stands_in_the_way(job)
  if ARGV[1] == 'all' then return true end
  local state = node_state(B, job.id)
  return not ((state == 'queued' or state == 'failed') and is_same_job(job))
end

for _, job in ipairs(cjson.decode(ARGV[2])) do
  if stands_in_the_way(job) then
    remove(B, job.id)
    for _, child in ipairs(job.children) do remove(child.queue, child.id) end
  end
end
