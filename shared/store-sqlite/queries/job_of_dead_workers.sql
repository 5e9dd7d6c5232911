-- Finds running jobs whose worker is gone, worker by worker: ?1 limit.
select job.id
from worker
cross join job on job.worker_id = worker.id and job.state = 2
where worker.state <> 0
limit ?1;
