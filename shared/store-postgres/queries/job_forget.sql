-- Deletes ended jobs: $1 to $3 ids.
delete from job where id = any($1::uuid[]) and id between $2 and $3 and state >= 3;
