-- Sums what ended in the minutes from one on, of all tenants and writers: $1 the first minute.
select
    bucket, queue, prio, kind, sum(succeeded)::bigint, sum(retried)::bigint, sum(dead)::bigint, sum(run_us)::bigint, sum(wait_us)::bigint
from job_rate
where bucket >= $1
group by bucket, queue, prio, kind
order by bucket, queue, prio, kind;
