-- Reads all workers with what they run: ?1 now on the lease clock, ?2 live.
select
    id, name, host, pid, slots, version, state = ?2 and lease_until > ?1, lease_until,
    (select count(*) from job where job.state = 2 and job.worker_id = worker.id)
from worker
order by id;
