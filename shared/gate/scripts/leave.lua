-- A job has ended, or was not accepted after all. Again for the same job it changes nothing.
-- KEYS see prelude.lua. ARGV job, user, slots of all workers ('' where they are not known), now (ms; '' for what was not accepted).
leave(ARGV[1] .. ' ' .. ARGV[2], ARGV[2], ARGV[3], tonumber(ARGV[4]))
