-- Whether a key is known here, and whether its user is blocked, at one instant.
-- KEYS hashes, keys, blocked. ARGV SHA-256 of the key ('' for none), user ('' where the key's record tells him).
-- Returns {the key's record (JSON) or '', 1 when the user is blocked else 0}.
local id = ARGV[1] ~= '' and redis.call('HGET', KEYS[1], ARGV[1])
local record = id and redis.call('HGET', KEYS[2], id) or ''
local user = ARGV[2]
if record ~= '' then user = cjson.decode(record).user end
return { record, user == '' and 0 or redis.call('HEXISTS', KEYS[3], user) }
