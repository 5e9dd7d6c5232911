-- Reads what a job's attempts wrote, oldest first: $1 tenant, $2 job.
select job_log.run, job_log.lines, job_log.output
from job
join job_log on job_log.job_id = job.id
where job.id = $2 and job.tenant = $1
order by job_log.run;
