-- Forgets what was asked of runs that are over: $1 worker.
delete from cancel_asked as c
where c.worker_id = $1
    and not exists (select 1 from job where job.id = c.job_id and job.state = 2 and job.worker_id = $1 and job.run = c.run);
