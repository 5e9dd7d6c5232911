-- Deletes claims that a worker does not hold and under which nothing runs any more: $1 worker, $2 held claims, $3 when it looked.
-- In one snapshot with the look: a claim whose commit came late must stay until its jobs are handed back.
delete from claim
where worker_id = $1 and at < $3 and id <> all($2::uuid[])
    and not exists (
        select 1 from unnest(claim.job_ids) as m (id) join job on job.id = m.id where job.state = 2 and job.claim_id = claim.id
    );
