-- Deletes claims of a worker under which nothing runs any more: those it says it has settled, and others that it does not hold, if that is so: $1 worker, $2 held claims, $3 when it looked, $4 settled claims.
-- In one snapshot with the look: a claim whose commit came late must stay until its jobs are handed back.
delete from claim
where worker_id = $1
    and (
        id = any($4::uuid[])
        or (
            at < $3 and id <> all($2::uuid[])
            and not exists (
                select 1 from unnest(claim.job_ids) as m (id) join job on job.id = m.id where job.state = 2 and job.claim_id = claim.id
            )
        )
    );
