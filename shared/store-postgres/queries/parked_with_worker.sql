-- Finds jobs parked for want of a worker whose kind one with a live lease knows, most important first; those another process has taken up are left to it: $1 shift of the clock, $2 no_worker, $3 live, $4 limit.
select parked.job_id
from parked
where parked.reason = $2 and parked.kind in (
    select worker_kind.kind
    from worker
    join worker_kind on worker_kind.worker_id = worker.id
    where worker.state = $3 and worker.lease_until > flotilla_now() + $1
)
order by parked.prio desc, parked.job_id
limit $4
for update of parked skip locked;
