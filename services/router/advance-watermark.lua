-- Moves a partition's watermark over [first, next).
-- Invariant: every message below the watermark is done; it never goes back and never jumps a gap, but where the messages
-- in it have left the topic (rebase): in the first batch of a partition, and in the first one after an assignment.
-- KEYS watermarks. ARGV partition, first, next, rebase ('1' or '0'), time of the last message (ms), believed (the offset
-- that the caller has seen there; '' for none).
-- Returns the watermark that holds now; 'rewound' when Redis has lost what the caller had seen: nothing is moved then.
local key = KEYS[1]
local partition, first, next_offset = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local stored = redis.call('HGET', key, partition)
if ARGV[6] ~= '' and tonumber(stored or -1) < tonumber(ARGV[6]) then return 'rewound' end

local current = tonumber(stored or first)
if (first <= current or ARGV[4] == '1') and next_offset > current then
  redis.call('HSET', key, partition, ARGV[3], partition .. ':at', ARGV[5])
  return ARGV[3]
end
return stored or ''
