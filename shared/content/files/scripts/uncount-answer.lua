-- Removes an answer's reservation ('reserved'), or its reservation and its count ('all').
-- KEYS expiring answers, their sizes. ARGV job, 'reserved' or 'all'.
local expiring, sizes = KEYS[1], KEYS[2]
local job, what = unpack(ARGV)

uncount_answer(expiring, sizes, reserved(job))
if what == 'all' then uncount_answer(expiring, sizes, job) end
