-- Deletes claims of workers that are gone, once nothing runs under them any more.
delete from claim
where not exists (select 1 from worker where worker.id = claim.worker_id and worker.state = 0)
    and not exists (
        select 1 from unnest(claim.job_ids) as m (id) join job on job.id = m.id where job.state = 2 and job.worker_id = claim.worker_id
    );
