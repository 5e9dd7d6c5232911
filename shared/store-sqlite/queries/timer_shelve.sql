-- Removes the due timers of waiting jobs: ?1 ids.
delete from timer
where (run_at, job_id, what) in (select run_at, id, 0 from job where id in (select unhex(value) from json_each(?1)) and state = 0);
