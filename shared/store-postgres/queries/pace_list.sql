-- Reads how long jobs of each queue have taken of late, and how many slots the smallest live worker has: $1 from this minute on, $2 shift of the clock.
select
    queue.name,
    (select case when sum(succeeded) > 0 then (sum(run_us) / sum(succeeded))::bigint end from job_stat where job_stat.queue = queue.name and bucket >= $1),
    (
        select coalesce(min(worker.slots), 0)
        from worker
        join worker_kind on worker_kind.worker_id = worker.id
        join kind on kind.name = worker_kind.kind
        where kind.queue = queue.name and worker.state = 0 and worker.lease_until > flotilla_now() + $2
    )
from queue;
