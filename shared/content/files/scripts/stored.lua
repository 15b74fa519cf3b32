-- Returns how many bytes a user has stored. KEYS see prelude.lua. ARGV now (ms).
return stored_bytes(KEYS, ARGV[1])
