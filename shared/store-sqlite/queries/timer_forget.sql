-- Removes expiry timers of deleted jobs: ?1 ids.
delete from timer
where (run_at, job_id, what) in (
    select start_before, id, 1 from job
    where id in (select unhex(value) from json_each(?1)) and start_before is not null
);
