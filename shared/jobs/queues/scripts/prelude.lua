-- Where BullMQ keeps a job: its data in `<queue>:<id>`, its id in exactly one of the lists and sets below (BullMQ 6,
-- commands/includes/removeJobFromAnyState.lua). A parent waits in `waiting-children` until `<queue>:<id>:dependencies` is empty.
local LISTS = { 'wait', 'paused', 'active' }
local SETS = { 'waiting-children', 'delayed', 'prioritized' }
local ENDINGS = { 'completed', 'failed' }

local function in_any(call, queue, names, id)
  for _, name in ipairs(names) do
    if redis.call(call, queue .. ':' .. name, id) then return name end
  end
end

local function has_all_children(key)
  local children = redis.call('SMEMBERS', key .. ':dependencies')
  for _, child in ipairs(children) do
    if redis.call('EXISTS', child) == 0 then return false end
  end
  return #children > 0
end

local function node_state(queue, id)
  local key = queue .. ':' .. id
  if redis.call('EXISTS', key) == 0 then return 'gone' end
  local ending = in_any('ZSCORE', queue, ENDINGS, id)
  if ending then return ending end
  local set = in_any('ZSCORE', queue, SETS, id)
  if set == 'waiting-children' then return has_all_children(key) and 'queued' or 'lost' end
  return (set or in_any('LPOS', queue, LISTS, id)) and 'queued' or 'lost'
end
