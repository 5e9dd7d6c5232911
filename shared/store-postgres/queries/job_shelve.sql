-- Makes live jobs wait, in whatever state they are; an attempt under way is given back: $1 to $3 ids, $4 until, $5 reason.
update job set state = 0, waiting_for = $5, run_at = $4, attempt = greatest(attempt - (state = 2)::int, 0), worker_id = null
where id = any($1::uuid[]) and id between $2 and $3 and state < 3;
