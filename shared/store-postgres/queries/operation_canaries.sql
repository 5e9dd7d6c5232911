-- Reads how the canaries of an operation are: $1 to $3 ids.
select id, state, error from job where id = any($1::uuid[]) and id between $2 and $3 order by id;
