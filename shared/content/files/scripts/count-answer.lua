-- Counts a stored answer: its size replaces its reservation.
-- Invariant: an answer is counted once, even if its copy is stored several times.
-- KEYS expiring answers, their sizes. ARGV job, bytes, ends (ms).
local expiring, sizes = KEYS[1], KEYS[2]
local job, bytes, ends = unpack(ARGV)

uncount_answer(expiring, sizes, reserved(job))
count_answer(expiring, sizes, job, bytes, ends)
