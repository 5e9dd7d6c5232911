-- Counts attempts that ended: ?1 [minute, queue, prio, kind, succeeded, retried, dead, run, wait].
insert into job_rate (bucket, queue, prio, kind, succeeded, retried, dead, run_us, wait_us)
select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8
from json_each(?1)
where true
on conflict (bucket, queue, prio, kind) do update set
    succeeded = succeeded + excluded.succeeded,
    retried = retried + excluded.retried,
    dead = dead + excluded.dead,
    run_us = run_us + excluded.run_us,
    wait_us = wait_us + excluded.wait_us;
