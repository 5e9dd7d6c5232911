-- Reads how long jobs of each queue have taken of late, and how many slots the smallest live worker has, or while none is live the one that lived last: $1 from this time on, $2 shift of the clock. A fleet that is being restarted is still that fleet.
with able as (
    select kind.queue, worker.slots, worker.lease_until, worker.state = 0 and worker.lease_until > flotilla_now() + $2 as is_live
    from worker
    join worker_kind on worker_kind.worker_id = worker.id
    join kind on kind.name = worker_kind.kind
    where worker.lease_until > $1
)
select
    queue.name,
    (select case when sum(succeeded) > 0 then (sum(run_us) / sum(succeeded))::bigint end from job_rate where job_rate.queue = queue.name and bucket >= $1),
    coalesce(
        (select min(able.slots) from able where able.queue = queue.name and able.is_live),
        (select able.slots from able where able.queue = queue.name order by able.lease_until desc limit 1),
        0
    )
from queue;
