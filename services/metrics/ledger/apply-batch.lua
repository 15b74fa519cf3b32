-- Adds one batch of events of one partition to the counts, all or nothing.
-- Invariant: the counts are the sum over the events below each partition's stored offset, with every event id counted once as long as it
-- is remembered. The caller adds the events up, and the script only compares and adds: if the stored state differs from what the caller
-- expects, the script changes nothing and returns the difference.
--
-- Ids are remembered in two sets, young and old. A full young set becomes the old one. So an id is remembered for the next 1 to 2 set
-- sizes of events, even if the system was idle in between, and memory is bounded.
--
-- Sections are hashes of counts that expire. Each user counts once per kind of failure in each span of slots that ends now: a job adds 1
-- to the difference at the slot after the user's previous one of its kind, and subtracts 1 at the slot after its own
-- (`shared/rollout/judge/segment.ts`). Only this script knows the previous one for certain.
--
-- The jobs' budget reservations are removed in the same step that adds their actual usage (shared/policy/usage/scripts/prelude.lua).
--
-- KEYS offsets (hash), counts (hash), young ids (set), old ids (set), reservations, reserved, reserved until, then for each section its
-- counts (hash) and its users' last slots (hash). All share one hash tag.
-- ARGV partition field, stored offset that the caller expects ('' for none), next offset, earliest and latest time of the events (ms, ''
-- for none), size of an id set, number of ids, sections (JSON: {kept, last, counts: [[name, integer]], marks: [[arm, user, slot,
-- [first]]]}), jobs (JSON: [[id, when it ended (ms)]]), ids..., then name and integer for each count.
-- Returns {'applied'}; {'moved', stored offset or ''}; {'repeated', position of each id that is already counted, from 1}.
local offsets, counts, young, old = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local partition, believed, next_offset, earliest, latest, generation, ids, sections, jobs = unpack(ARGV, 1, 9)
local first_id = 10
ids = tonumber(ids)

local stored = redis.call('HGET', offsets, partition) or ''
if stored ~= believed then return { 'moved', stored } end

if ids > 0 then
  local last_id = first_id + ids - 1
  local in_young = redis.call('SMISMEMBER', young, unpack(ARGV, first_id, last_id))
  local in_old = redis.call('SMISMEMBER', old, unpack(ARGV, first_id, last_id))
  local repeated = { 'repeated' }
  for i = 1, ids do
    if in_young[i] == 1 or in_old[i] == 1 then repeated[#repeated + 1] = i end
  end
  if #repeated > 1 then return repeated end
  redis.call('SADD', young, unpack(ARGV, first_id, last_id))
  if redis.call('SCARD', young) >= tonumber(generation) then
    redis.call('UNLINK', old)
    redis.call('RENAME', young, old)
  end
end

for i = first_id + ids, #ARGV, 2 do
  redis.call('HINCRBY', counts, ARGV[i], ARGV[i + 1])
end
local since = redis.call('HMGET', counts, 'since', 'until')
if earliest ~= '' and (not since[1] or tonumber(earliest) < tonumber(since[1])) then
  redis.call('HSET', counts, 'since', earliest)
end
if latest ~= '' and (not since[2] or tonumber(latest) > tonumber(since[2])) then
  redis.call('HSET', counts, 'until', latest)
end

-- Both failures are one kind: a user with a `saved` and a `lost` job in a span has failed once in it.
local kinds = { saved = 'failed', lost = 'failed', slow = 'slow' }

local function mark(section, users, arm, user, slot, firsts)
  if redis.call('HSETNX', users, arm .. '/seen/' .. user, 1) == 1 then
    redis.call('HINCRBY', section, arm .. '/users', 1)
  end
  for _, first in ipairs(firsts) do
    local field = arm .. '/' .. kinds[first] .. '/' .. user
    local last = tonumber(redis.call('HGET', users, field) or -1)
    if slot > last then
      redis.call('HSET', users, field, slot)
      redis.call('HINCRBY', section, arm .. '/' .. first .. '/' .. (last + 1), 1)
      redis.call('HINCRBY', section, arm .. '/' .. first .. '/' .. (slot + 1), -1)
    end
  end
end

for _, job in ipairs(cjson.decode(jobs)) do settle(KEYS[5], KEYS[6], KEYS[7], job[1], job[2]) end

for i, section in ipairs(cjson.decode(sections)) do
  local section_counts, users = KEYS[6 + 2 * i], KEYS[7 + 2 * i]
  for _, count in ipairs(section.counts) do
    redis.call('HINCRBY', section_counts, count[1], count[2])
  end
  for _, m in ipairs(section.marks) do
    mark(section_counts, users, m[1], m[2], m[3], m[4])
  end
  if section.last > tonumber(redis.call('HGET', section_counts, 'last') or 0) then
    redis.call('HSET', section_counts, 'last', string.format('%.0f', section.last))
  end
  redis.call('PEXPIRE', section_counts, section.kept)
  redis.call('PEXPIRE', users, section.kept)
end
redis.call('HSET', offsets, partition, next_offset)
return { 'applied' }
