-- Deletes the records of deaths of jobs that are not kept: $1 from this id on, $2 before this id.
delete from dead_letter where job_id >= $1 and job_id < $2 and job_id not in (select id from job_kept);
