-- Resolves a publication whose outcome is unknown: admitting -> refused, unless the router has taken the job over.
-- Invariant: either the client gets 503 and the router drops the message, or the job runs; never both.
-- Several requests with one idempotency key may publish the same job. A request whose send was acknowledged stays in the list of
-- publishers. The last failing publisher refuses the job only if the list is empty, so none refuses a job that another request published.
-- KEYS record, open. ARGV job, retention (ms), publisher ('' for the only one).
-- Returns the current state; '' when there is no record; `admitting` while another publisher is listed.
local record, open = KEYS[1], KEYS[2]
local job, retention, publisher = unpack(ARGV)

local state = redis.call('HGET', record, 'state')
if not state then return '' end
if state == 'admitting' and publisher ~= '' then
  local mine, others = false, {}
  for one in string.gmatch(redis.call('HGET', record, 'publishers') or '', '%S+') do
    if one == publisher then mine = true else others[#others + 1] = one end
  end
  -- Not in the list: the job was refused meanwhile, and another request has admitted it again.
  if not mine then return state end
  redis.call('HSET', record, 'publishers', table.concat(others, ' '))
  if #others > 0 then return state end
end
if state == 'admitting' then
  redis.call('HSET', record, 'state', 'refused')
  redis.call('PEXPIRE', record, retention)
  redis.call('ZREM', open, job)
  return 'refused'
end
return state
