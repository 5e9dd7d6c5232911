-- Reads the timers that are due, earliest first: ?1 now, ?2 limit.
select run_at, job_id, what from timer where run_at <= ?1 order by run_at, job_id, what limit ?2;
