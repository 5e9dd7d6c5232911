-- Reads how long jobs of each queue have taken of late, and how many slots the smallest worker has that was alive since then: $1 from this time on, $2 since when. A fleet that is being restarted is still that fleet.
select
    queue.name,
    (select case when sum(succeeded) > 0 then (sum(run_us) / sum(succeeded))::bigint end from job_stat where job_stat.queue = queue.name and bucket >= $1),
    (
        select coalesce(min(worker.slots), 0)
        from worker
        join worker_kind on worker_kind.worker_id = worker.id
        join kind on kind.name = worker_kind.kind
        where kind.queue = queue.name and worker.lease_until > $2
    )
from queue;
