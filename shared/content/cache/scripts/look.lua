-- Looks up an entry under the ids that it may have.
-- ARGV floor (2), tag, ids... Returns {position of the id from 0, value}; {} when there is no entry.
return look(ARGV[3], 4) or {}
