-- An answer is counted under its job's id; what is reserved for one that is not stored yet under the same id behind a mark.
local function reserved(job) return 'reserved ' .. job end

local function count_answer(expiring, sizes, id, bytes, ends)
  uncount(sizes, id)
  redis.call('HSET', sizes, id, bytes)
  redis.call('HINCRBY', sizes, 'total', bytes)
  redis.call('ZADD', expiring, ends, id)
  -- Nothing is left of a user who stores no more.
  local last = redis.call('ZRANGE', expiring, -1, -1, 'WITHSCORES')
  local gone = string.format('%.0f', tonumber(last[2]) + 60000)
  redis.call('PEXPIREAT', expiring, gone)
  redis.call('PEXPIREAT', sizes, gone)
end

local function uncount_answer(expiring, sizes, id)
  redis.call('ZREM', expiring, id)
  uncount(sizes, id)
end
