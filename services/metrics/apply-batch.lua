-- Adds one batch of events of one partition to the counts, all or nothing.
-- Invariant: the counts are the sum over the events below each partition's stored offset, every event id once among the
-- ids remembered. So the caller folds first and the script only compares and adds: if anything is not as the caller
-- believed, it changes nothing and says what is.
--
-- Ids are remembered in two generations. When the young one is full it becomes the old one: an id is known for the next
-- 1 to 2 generations' worth of events, however long the system stood still in between, and memory is bounded.
--
-- KEYS offsets (hash), counts (hash), young ids (set), old ids (set). All share one hash tag.
-- ARGV partition field, offset that the caller believes stored ('' for none), next offset, earliest and latest time of the
-- events (ms, '' for none), generation size, number of ids, ids..., then name and integer for each count.
-- Returns {'applied'}; {'moved', stored offset or ''}; {'repeated', position of each id that is known, from 1}.
local offsets, counts, young, old = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local partition, believed, next_offset, earliest, latest, generation, ids = unpack(ARGV, 1, 7)
ids = tonumber(ids)

local stored = redis.call('HGET', offsets, partition) or ''
if stored ~= believed then return { 'moved', stored } end

if ids > 0 then
  local in_young = redis.call('SMISMEMBER', young, unpack(ARGV, 8, 7 + ids))
  local in_old = redis.call('SMISMEMBER', old, unpack(ARGV, 8, 7 + ids))
  local repeated = { 'repeated' }
  for i = 1, ids do
    if in_young[i] == 1 or in_old[i] == 1 then repeated[#repeated + 1] = i end
  end
  if #repeated > 1 then return repeated end
  redis.call('SADD', young, unpack(ARGV, 8, 7 + ids))
  if redis.call('SCARD', young) >= tonumber(generation) then
    redis.call('UNLINK', old)
    redis.call('RENAME', young, old)
  end
end

for i = 8 + ids, #ARGV, 2 do
  redis.call('HINCRBY', counts, ARGV[i], ARGV[i + 1])
end
local since = redis.call('HMGET', counts, 'since', 'until')
if earliest ~= '' and (not since[1] or tonumber(earliest) < tonumber(since[1])) then
  redis.call('HSET', counts, 'since', earliest)
end
if latest ~= '' and (not since[2] or tonumber(latest) > tonumber(since[2])) then
  redis.call('HSET', counts, 'until', latest)
end
redis.call('HSET', offsets, partition, next_offset)
return { 'applied' }
