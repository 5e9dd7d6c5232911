-- Deletes old audit rows, among the oldest: $1 before, $2 rows to look at.
delete from audit where id < (select min(id) from audit) + $2 and at < $1;
