-- A stored answer is counted under its job's id. A reservation for an answer that is not stored yet has the same id with a prefix.
local function reserved(job) return 'reserved ' .. job end

local function count_answer(expiring, sizes, id, bytes, ends)
  uncount(sizes, id)
  redis.call('HSET', sizes, id, bytes)
  redis.call('HINCRBY', sizes, 'total', bytes)
  redis.call('ZADD', expiring, ends, id)
  -- The keys expire a minute after the user's last answer.
  local last = redis.call('ZRANGE', expiring, -1, -1, 'WITHSCORES')
  local gone = string.format('%.0f', tonumber(last[2]) + 60000)
  redis.call('PEXPIREAT', expiring, gone)
  redis.call('PEXPIREAT', sizes, gone)
end

local function uncount_answer(expiring, sizes, id)
  redis.call('ZREM', expiring, id)
  uncount(sizes, id)
end
