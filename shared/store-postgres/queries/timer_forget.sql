-- Removes expiry timers of deleted jobs: $1 to $3 ids.
delete from timer
using job
where job.id = any($1::uuid[]) and job.id between $2 and $3 and timer.run_at = job.start_before and timer.job_id = job.id and timer.what = 1;
