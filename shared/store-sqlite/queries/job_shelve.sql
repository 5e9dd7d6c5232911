-- Makes live jobs wait, in whatever state they are; an attempt under way is given back: ?1 ids, ?2 until, ?3 reason.
update job set state = 0, waiting_for = ?3, run_at = ?2, attempt = max(attempt - (state = 2), 0), worker_id = null
where id in (select unhex(value) from json_each(?1)) and state < 3;
