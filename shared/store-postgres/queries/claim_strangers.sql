-- Finds jobs that run under claims of a worker that it did not name, made before it looked: $1 worker, $2 held claims, $3 when it looked.
select job.id
from claim
cross join unnest(claim.job_ids) as m (id)
join job on job.id = m.id
where claim.worker_id = $1 and claim.at < $3 and claim.id <> all($2::uuid[])
    and job.state = 2 and job.worker_id = $1 and job.claim_id = claim.id
order by job.id;
