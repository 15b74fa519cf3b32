-- An answer is stored: its size takes the place of what was reserved for it.
-- Invariant: it is counted once, however often its copy is made.
-- KEYS expiring answers, their sizes. ARGV job, bytes, ends (ms).
local expiring, sizes = KEYS[1], KEYS[2]
local job, bytes, ends = unpack(ARGV)

uncount_answer(expiring, sizes, reserved(job))
count_answer(expiring, sizes, job, bytes, ends)
