-- Finds what a worker must hear about its running jobs: cancels asked for, and strangers, which started before it looked at what it holds: ?1 worker, ?2 held claims, ?3 when it looked.
with held (claim_id) as (select unhex(value) from json_each(?2))
select id, run, claim_id not in held and started_at < ?3
from job
where state = 2 and worker_id = ?1 and (cancel_requested = 1 or (claim_id not in held and started_at < ?3))
order by id;
