-- Finds the running jobs of a worker that somebody asked to cancel: $1 worker.
select job.id, job.run
from cancel_asked as c
join job on job.id = c.job_id
where c.worker_id = $1 and job.state = 2 and job.worker_id = $1 and job.run = c.run and job.cancel_requested
order by job.id;
