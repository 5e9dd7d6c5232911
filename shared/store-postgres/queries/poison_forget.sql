-- Deletes all but the latest: $1 how many are kept.
delete from poison where id <= (select max(id) from poison) - $1;
