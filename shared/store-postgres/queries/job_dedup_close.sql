-- Closes the uniqueness windows that last until their job ends: $1 to $3 ids of jobs that ended.
delete from job_dedup
using job
where job.id = any($1::uuid[]) and job.id between $2 and $3
    and job_dedup.tenant = job.tenant and job_dedup.space = 1 and job_dedup.key = job.unique_key
    and job_dedup.expires_at is null and job_dedup.job_id = job.id;
