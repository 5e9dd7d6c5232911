-- Reads what got done, oldest minute first: ?1 from this time on.
select bucket, queue, prio, kind, succeeded, retried, dead, run_us, wait_us from job_rate where bucket >= ?1 order by bucket, queue, prio desc, kind;
