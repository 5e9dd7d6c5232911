-- Removes timers of jobs that wait for them no longer: ?1 [time, job, what].
delete from timer
where (run_at, job_id, what) in (select value ->> 0, unhex(value ->> 1), value ->> 2 from json_each(?1));
