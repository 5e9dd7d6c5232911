-- Deletes what belongs to deleted jobs: $1 to $3 ids.
delete from job_log where job_id = any($1::uuid[]) and job_id between $2 and $3;
