-- Deletes the expiry timers of jobs that are not kept: $1 from this id on, $2 before this id.
delete from timer
using job
where job.id >= $1 and job.id < $2 and job.start_before is not null and job.id not in (select id from job_kept)
    and timer.run_at = job.start_before and timer.job_id = job.id and timer.what = 1;
