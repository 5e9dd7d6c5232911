-- Tells which of these jobs are there and have not ended: $1 to $3 ids.
select id from job where id = any($1::uuid[]) and id between $2 and $3 and state < 3;
