-- Looks for an entry under the ids that it may have.
-- ARGV floor (2), tag, ids... Returns {place of the id from 0, value}; {} where there is none.
return look(ARGV[3], 4) or {}
