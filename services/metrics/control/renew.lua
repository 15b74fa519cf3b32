-- Renews a lease, or releases it (0 milliseconds). Invariant: only its holder does either.
-- KEYS lease (string). ARGV '<term>:<holder>', milliseconds. Returns 1, or 0 when another holder has the lease or it has expired.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
