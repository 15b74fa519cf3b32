-- Gives back what was reserved for an answer; where it was removed, also what it has counted for.
-- KEYS expiring answers, their sizes. ARGV job, 'reserved' or 'all'.
local expiring, sizes = KEYS[1], KEYS[2]
local job, what = unpack(ARGV)

uncount_answer(expiring, sizes, reserved(job))
if what == 'all' then uncount_answer(expiring, sizes, job) end
