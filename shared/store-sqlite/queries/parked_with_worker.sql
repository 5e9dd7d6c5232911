-- Finds jobs parked for want of a worker whose kind one with a live lease knows, most important first: ?1 now on the lease clock, ?2 no_worker, ?3 live, ?4 limit.
select parked.job_id
from (
    select distinct worker_kind.kind
    from worker
    join worker_kind on worker_kind.worker_id = worker.id
    where worker.state = ?3 and worker.lease_until > ?1
) as known
cross join parked on parked.reason = ?2 and parked.kind = known.kind
order by parked.prio desc, parked.job_id
limit ?4;
