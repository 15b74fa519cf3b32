-- Atomically reads the record of an API key and whether its user is blocked.
-- KEYS hashes, keys, blocked. ARGV SHA-256 of the API key ('' for none), user ('' if the key's record names the user).
-- Returns {the key's record (JSON) or '', 1 if the user is blocked else 0}.
local id = ARGV[1] ~= '' and redis.call('HGET', KEYS[1], ARGV[1])
local record = id and redis.call('HGET', KEYS[2], id) or ''
local user = ARGV[2]
if record ~= '' then user = cjson.decode(record).user end
return { record, user == '' and 0 or redis.call('HEXISTS', KEYS[3], user) }
