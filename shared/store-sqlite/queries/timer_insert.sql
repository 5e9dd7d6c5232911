-- Sets timers; one that is set already stays.
insert or ignore into timer (run_at, job_id, what) values (?, ?, ?);
