-- Reads the unconfirmed ledger rows of a class that list queued jobs, oldest first: $1 queue, $2 prio, $3 limit.
select emission.id, emission.job_ids
from emission
where published_at is null and queue = $1 and prio = $2
    and exists (
        select 1 from unnest(emission.job_ids) as m (id) join job on job.id = m.id where job.state = 1 and job.emission_id = emission.id
    )
order by emission.id
limit $3;
