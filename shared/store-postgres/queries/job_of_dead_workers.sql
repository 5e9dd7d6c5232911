-- Finds running jobs whose worker is gone, by the claims that took them: $1 limit.
select job.id, job.run
from claim
left join worker on worker.id = claim.worker_id
cross join unnest(claim.job_ids) as m (id)
join job on job.id = m.id
where (worker.id is null or worker.state <> 0) and job.state = 2 and job.worker_id = claim.worker_id
limit $1;
