-- Only the holder prolongs a lease, or gives it up (0 milliseconds).
-- KEYS lease (string). ARGV '<term>:<holder>', milliseconds. Returns 1, or 0 when it is another's or has run out.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
