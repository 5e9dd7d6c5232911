-- Finds what a worker must hear about its running jobs: cancels asked for, and jobs of claims that it does not hold: ?1 worker, ?2 held claims.
with held (claim_id) as (select unhex(value) from json_each(?2))
select id, run, claim_id in held
from job
where state = 2 and worker_id = ?1 and (cancel_requested = 1 or claim_id not in held)
order by id;
