-- Counts the running jobs: each is in the claim that took it.
select count(*)
from claim
cross join unnest(claim.job_ids) as m (id)
join job on job.id = m.id
where job.state = 2 and job.claim_id = claim.id;
