-- How many bytes a user's files have. KEYS files, those that expire, sizes. ARGV now (ms).
forget_expired(KEYS[1], KEYS[2], KEYS[3], ARGV[1])
return total_of(KEYS[3])
