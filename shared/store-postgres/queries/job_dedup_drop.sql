-- Deletes expired keys of jobs that are not kept: $1 from this id on, $2 before this id, $3 now.
delete from job_dedup where job_id >= $1 and job_id < $2 and expires_at <= $3 and job_id not in (select id from job_kept);
