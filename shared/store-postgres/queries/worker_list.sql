-- Reads all workers with what they run: $1 shift of the clock, $2 live.
select
    worker.id, worker.name, worker.host, worker.pid, worker.slots, worker.version,
    worker.state = $2 and worker.lease_until > flotilla_now() + $1, worker.lease_until, coalesce(held.running, 0)
from worker
left join (
    select claim.worker_id, count(*) as running
    from claim
    cross join unnest(claim.job_ids) as m (id)
    join job on job.id = m.id
    where job.state = 2 and job.claim_id = claim.id
    group by claim.worker_id
) as held on held.worker_id = worker.id
order by worker.id;
